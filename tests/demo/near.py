"""Near misses: people who do nearly what a rule looks for, and must be left alone. Each says which rules it tempts."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import timedelta

from tests.demo.languages import Language
from tests.demo.people import Maker, Person, Post, days, minutes, picture, series, user_name
from tests.demo.spam import Texts, scripted_name

GROUP = 6  # friends who do the same; more than a campaign needs

WARNINGS: Texts = {
    "en": ("Beware of the airdrop going round, it is a scam", "Do not click: connect wallet pages are phishing"),
    "de": ("Vorsicht, der Airdrop ist Betrug", "Warnung vor Seiten mit Wallet verbinden: Phishing"),
    "es": ("Cuidado con el airdrop, es una estafa", "No hagan clic en conecta tu billetera: es phishing"),
    "ru": ("Осторожно, аирдроп это мошенники", "Не ведитесь: подключи кошелёк это обман"),
    "ja": ("エアドロップは詐欺です。注意してください", "ウォレットを接続しないで。フィッシング詐欺です"),
}
HARM: Texts = {
    "en": ("How online casino ads feed problem gambling", "100 free spins and addiction: a thread"),
    "de": (
        "Online Casino: Wie Freispiele in die Spielsucht führen",
        "Casino Bonus ohne Einzahlung? Die Suchtberatung warnt",
    ),
    "es": ("El casino online y la ludopatía juvenil", "Giros gratis que acaban en adicción"),
    "ru": ("Онлайн казино и лудомания: интервью", "Как фриспины ведут в зависимость"),
    "ja": ("オンラインカジノ、逮捕者が増える", "ギャンブル依存症と入金不要ボーナス"),
}
NEWS: Texts = {
    "en": (
        "Sports betting law changes",
        "Council votes on the bridge",
        "Bitcoin falls again",
        "Storm warning for the coast",
    ),
    "de": (
        "Bundestag berät über Sportwetten",
        "Rat stimmt über Brücke ab",
        "Bitcoin fällt wieder",
        "Sturmwarnung an der Küste",
    ),
    "es": ("Nueva ley de apuestas deportivas", "El pleno vota el puente", "Baja el bitcoin", "Aviso de temporal"),
    "ru": (
        "Новый закон о ставках на спорт",
        "Мост закрыт до весны",
        "Биткоин снова падает",
        "Штормовое предупреждение",
    ),
    "ja": ("スポーツ賭博の法案審議", "橋の工事は春まで", "ビットコイン再び下落", "沿岸に暴風警報"),
}
HELPERS: Texts = {
    "en": ("I work in the support team of a bank. No account recovery here, sorry",),
    "de": ("Arbeite im Support einer Bank. Konten kann ich hier nicht wiederherstellen",),
    "es": ("Trabajo en soporte técnico. Aquí no recupero cuentas de nadie",),
    "ru": ("Работаю в поддержке банка. Аккаунты здесь не восстанавливаю",),
    "ja": ("銀行のサポート部門で働いています。ここではお答えできません",),
}
HELPING_NAMES: Texts = {
    "en": ("Kim (support)", "Team Support Choir"),
    "de": ("Kim vom Support", "Support-Gruppe Trauer"),
    "es": ("Kim de soporte", "Equipo de apoyo vecinal"),
    "ru": ("Ким из поддержки", "Группа поддержки родителей"),
    "ja": ("サポート係のキム", "子育てサポート"),
}
LESSONS: Texts = {
    "en": ("Please don't buy essays online. Worksheet for class 7b", "Homework for Monday"),
    "de": ("Kauft keine Hausarbeiten im Netz! Arbeitsblatt für die 7b", "Hausaufgabe bis Montag"),
    "es": ("No compréis trabajos hechos. Ficha para la clase 7b", "Deberes para el lunes"),
    "ru": ("Не надо купить диплом, надо учиться. Листок для 7Б", "Домашнее задание на понедельник"),
    "ja": ("7年B組の宿題プリント", "月曜日までの宿題です"),
}
WEATHER: Texts = {
    "en": ("Weather at the harbour: 14 degrees, wind from the west, no rain",),
    "de": ("Wetter am Hafen: 14 Grad, Wind aus West, kein Regen",),
    "es": ("El tiempo en el puerto: 14 grados, viento del oeste, sin lluvia",),
    "ru": ("Погода в порту: 14 градусов, ветер западный, без осадков",),
    "ja": ("港の天気: 14度、西の風、雨は降りません",),
}
NOTICES: Texts = {
    "en": ("Maintenance tonight at nine. Nobody from us will ask you to verify your account", "We are back"),
    "de": ("Heute um neun Wartung. Niemand von uns bittet euch, euer Konto zu verifizieren", "Wir sind wieder da"),
    "es": ("Esta noche mantenimiento. Nunca pedimos verificar la cuenta", "Ya estamos de vuelta"),
    "ru": ("Сегодня в девять работы на сервере. Мы не просим подтвердить аккаунт", "Мы снова на связи"),
    "ja": ("今夜9時からメンテナンスです。アカウント認証をお願いすることはありません", "復旧しました"),
}
ARTICLES: Texts = {
    "en": ("This is worth your time", "Finally somebody says it", "Long, but good", "Read this with your coffee"),
    "de": ("Lesenswert", "Endlich sagt es jemand", "Lang, aber gut", "Zum Kaffee"),
    "es": ("Vale la pena", "Por fin alguien lo dice", "Largo pero bueno", "Para leer con el café"),
    "ru": ("Стоит прочитать", "Наконец-то кто-то сказал", "Длинно, но хорошо", "Под кофе"),
    "ja": ("読む価値があります", "やっと言ってくれた", "長いけどいい記事", "コーヒーと一緒にどうぞ"),
}
FANS: Texts = {
    "en": ("Happy birthday to the best singer ever", "Best day of the year"),
    "de": ("Alles Gute der besten Sängerin", "Der schönste Tag im Jahr"),
    "es": ("Feliz cumpleaños a la mejor", "El mejor día del año"),
    "ru": ("С днём рождения, лучшая певица", "Лучший день в году"),
    "ja": ("お誕生日おめでとうございます", "一年で最高の日"),
}
PETITIONS: Texts = {
    "en": ("I have just signed the petition to keep the night train to Vienna. Please sign it too!",),
    "de": ("Ich habe gerade die Petition für den Nachtzug nach Wien unterschrieben. Macht bitte auch mit!",),
    "es": ("Acabo de firmar la petición para salvar el tren nocturno a Lisboa. ¡Firma tú también, por favor!",),
    "ru": ("Я подписал петицию за ночной поезд до Вены. Подпишите, пожалуйста, и вы, нам нужен каждый голос!",),
    "ja": ("夜行列車を残すための署名をしました。みなさんもぜひ署名をお願いします。あと少しです",),
}
PILLS: Texts = {
    "en": ("New study on Viagra and the heart", "Replica watches seized at the border"),
    "de": ("Neue Studie: Viagra und das Herz", "Zoll findet gefälschte Uhren"),
    "es": ("Nuevo estudio sobre la viagra y el corazón", "La aduana halla réplicas"),
    "ru": ("Новое исследование: виагра и сердце", "Таможня нашла подделки"),
    "ja": ("バイアグラと心臓の新しい研究", "税関が偽ブランド品を発見"),
}
TWO_SCRIPTS: Texts = {
    "en": (
        "The phonetic spelling of gift is \u0261\u026aft",
        "\u1d0d\u028f \u0274\u1d07\u1d21 \ua731\u1d0f\u0274\u0262, out now",
    ),
    "de": ("\u03b1-Version fertig, Größe 3\u00b5m", "Smørrebrød und Ærø: schöne Namen"),
    "es": ("La letra griega \u03c0 en el menú, qué cosas", "Café, jamón y ñ"),
    "ru": ("IT-отдел переехал, backend на Python", "PDFка в приложении, SMSка отправлена"),
    "ja": ("Python と日本語、 API の話", "\u03b1版ができました"),
}
TICKS: Texts = {
    "en": ("Minute 12, still no goal, and the rain is getting worse",),
    "de": ("Minute 12, immer noch kein Tor, und es regnet stärker",),
    "es": ("Minuto 12, sigue sin haber goles y llueve más",),
    "ru": ("Минута 12, голов всё ещё нет, и дождь сильнее",),
    "ja": ("前半12分、まだ得点はありません。雨が強くなってきました",),
}


def warner(draw: random.Random, language: Language) -> list[Person]:
    """crypto-link-spam: warns strangers of it, with a link."""
    posts = series(draw, 4, WARNINGS[language.code], url="https://blog.example", mentions=(3, 3))
    return [Person(user_name(draw, language), days(draw, 1, 10), posts)]


def old_warner(draw: random.Random, language: Language) -> list[Person]:
    """crypto-link-spam: an old account that quotes the very words, several times."""
    texts = [f"{WARNINGS[language.code][0]}!", *WARNINGS[language.code]]
    posts = series(draw, 6, texts, url="https://wallet-verify4.example", mentions=(2, 4))
    return [Person(user_name(draw, language), days(draw, 400, 2500), posts, followers=draw.randint(0, 9))]


def conversation(draw: random.Random, language: Language) -> list[Person]:
    """mention-wave, reply-spam: a busy conversation with ten people."""
    posts = series(draw, 12, language.answers, within=200, mentions=(4, 10), circle=10, reply=True)
    return [Person(user_name(draw, language), days(draw, 1, 6), posts)]


def helper(draw: random.Random, language: Language) -> list[Person]:
    """phishing-bio: works in support, and has a homepage."""
    bio = f"{draw.choice(HELPERS[language.code])} https://me-{draw.randint(1, 99)}.example"
    return [Person(user_name(draw, language), days(draw, 1, 20), _small_talk(draw, language, 2), bio=bio)]


def namesake(draw: random.Random, language: Language) -> list[Person]:
    """poses-as-staff: has help in the name, and a homepage."""
    bio, name = f"https://me-{draw.randint(1, 99)}.example", draw.choice(HELPING_NAMES[language.code])
    return [Person(user_name(draw, language), days(draw, 1, 20), _small_talk(draw, language, 2), bio=bio, name=name)]


def newsroom(draw: random.Random, language: Language) -> list[Person]:
    """link-farming, casino-words, hidden-links: nothing but links and hashtags, with readers."""
    posts = series(draw, 15, NEWS[language.code], within=1200, url="https://news.example", tags=4)
    return [Person(user_name(draw, language), days(draw, 5, 25), posts, followers=25)]


def gambler(draw: random.Random, language: Language) -> list[Person]:
    """casino-words: writes about the harm it does."""
    posts = series(draw, 3, HARM[language.code], url="https://paper.example")
    return [Person(user_name(draw, language), days(draw, 1, 20), posts)]


def teacher(draw: random.Random, language: Language) -> list[Person]:
    """goods-spam, link-farming: worksheets for the class, and a word on essays that one can buy."""
    posts = series(draw, 6, LESSONS[language.code], url="https://school.example/7b", tags=1)
    return [Person(user_name(draw, language), days(draw, 2, 20), posts, followers=draw.randint(0, 4))]


def pharmacist(draw: random.Random, language: Language) -> list[Person]:
    """goods-spam: writes about medicines and fakes."""
    posts = series(draw, 4, PILLS[language.code], url="https://study.example", tags=2)
    return [Person(user_name(draw, language), days(draw, 2, 20), posts)]


def bilingual(draw: random.Random, language: Language) -> list[Person]:
    """lookalike-words: writes with two scripts, as its subject wants it."""
    posts = series(draw, 4, TWO_SCRIPTS[language.code], url="https://py.example")
    return [Person(user_name(draw, language), days(draw, 1, 20), posts)]


def weather_bot(draw: random.Random, language: Language) -> list[Person]:
    """posting-rate, repeated-text, link-farming: a bot that says so."""
    posts = [
        Post(f"{WEATHER[language.code][0]} https://weather.example/{n}", timedelta(minutes=4 * n + 1), tags=3)
        for n in range(70)
    ]
    return [Person(f"weather_{draw.choice(language.first_names)}", days(draw, 0.3, 2), posts, bot=True)]


def announcer(draw: random.Random, language: Language) -> list[Person]:
    """phishing-bio, repeated-text, mention-wave: the new account of a server's admin."""
    posts = series(draw, 6, NOTICES[language.code], url="https://status.example", tags=1)
    bio = f"{NOTICES[language.code][0]}. https://status.example"
    return [Person(f"admin_{draw.choice(language.first_names)}", days(draw, 1, 25), posts, bio=bio, followers=3)]


def lively(draw: random.Random, language: Language) -> list[Person]:
    """posting-rate, repeated-text: forty posts on the first day, because it is all so new."""
    posts = [Post(language.sentence(draw), timedelta(minutes=9 * n + 1)) for n in range(40)]
    return [Person(user_name(draw, language), timedelta(days=1), posts)]


def ticker(draw: random.Random, language: Language) -> list[Person]:
    """repeated-text, posting-rate: tells a match, minute by minute, in nearly the same words."""
    text = TICKS[language.code][0]
    posts = [Post(text.replace("12", str(90 - 4 * n)), timedelta(minutes=4 * n + 1), tags=1) for n in range(20)]
    return [Person(user_name(draw, language), timedelta(hours=draw.uniform(5, 20)), posts)]


def born(draw: random.Random, language: Language) -> list[Person]:
    """name-series: a year or a day of birth in the name, and links to its photos."""
    posts = series(draw, 6, PHOTO_WORDS[language.code], url="https://photo.example")
    year = draw.randint(1960, 2005)
    born = draw.choice([f"{year}", f"_{draw.randint(10, 28)}{draw.randint(10, 12)}{year}"])
    return [Person(f"{draw.choice(language.first_names)}{born}", days(draw, 1, 6), posts)]


def numbered(draw: random.Random, language: Language) -> list[Person]:
    """name-series, several-signs: a name with five digits, as sign-up pages propose them, and a blog."""
    posts = [
        Post(f"{language.sentence(draw)} https://blog-{draw.randint(1, 9)}.example/{n}", timedelta(minutes=50 * n + 5))
        for n in range(4)
    ]
    return [Person(scripted_name(draw, language), days(draw, 1, 6), posts, followers=draw.randint(0, 2))]


def channel(draw: random.Random, language: Language) -> list[Person]:
    """several-signs: five digits in the name, and a channel on Telegram that it links to."""
    bio = f"{language.bios[0]} https://t.me/{draw.choice(language.first_names)}"
    posts = series(draw, 2, ARTICLES[language.code], url="https://t.me/my_channel")
    return [Person(scripted_name(draw, language), days(draw, 1, 6), posts, bio=bio)]


def podcast(draw: random.Random, language: Language) -> list[Person]:
    """hidden-links: short links to its episodes, to nobody in particular."""
    posts = series(draw, 5, ARTICLES[language.code], url="https://bit.ly/episode", tags=2)
    return [Person(user_name(draw, language), days(draw, 1, 12), posts, followers=draw.randint(0, 9))]


def answerer(draw: random.Random, language: Language) -> list[Person]:
    """reply-spam: answers strangers' questions, each with another page."""
    posts = [
        Post(
            f"{draw.choice(language.answers)}. {language.sentence(draw)} https://docs.example/{n}",
            timedelta(minutes=25 * n + 5),
            mentions=1,
            reply=True,
        )
        for n in range(7)
    ]
    return [Person(user_name(draw, language), days(draw, 0.5, 8), posts, followers=draw.randint(0, 3))]


def moved(draw: random.Random, language: Language) -> list[Person]:
    """first-hour-mentions, mention-wave: greets ten old friends in its first hour, each with other words."""
    posts = [Post(language.sentence(draw), timedelta(minutes=4 * n + 1), mentions=1) for n in range(10)]
    posts.append(Post(language.intro, timedelta(minutes=50)))
    return [Person(user_name(draw, language), timedelta(minutes=draw.randint(55, 100)), posts)]


def friends(draw: random.Random, language: Language) -> list[Person]:
    """link-host-campaign: friends who came together share an article, and tell each other."""
    url = f"https://paper-{draw.randint(1, 99)}.example/article"
    return [
        Person(
            user_name(draw, language),
            days(draw, 0.5, 6),
            [
                Post(f"{draw.choice(ARTICLES[language.code])} {url}", minutes(draw, 200), mentions=1, circle=GROUP),
                *_small_talk(draw, language, 3),
            ],
            followers=draw.randint(0, 7),
        )
        for _ in range(GROUP)
    ]


def fans(draw: random.Random, language: Language) -> list[Person]:
    """picture-wave: a fan club posts the same picture on a birthday, and mentions the singer."""
    blurhash = picture(draw)
    return [
        Person(
            user_name(draw, language),
            days(draw, 0.5, 6),
            series(draw, 2, FANS[language.code], within=200, mentions=(1, 1), circle=1, tags=2, media=(blurhash,)),
            followers=draw.randint(0, 9),
        )
        for _ in range(GROUP)
    ]


def petitioners(draw: random.Random, language: Language) -> list[Person]:
    """copy-paste-wave, link-host-campaign: the same text and link, given to them by a petition's page."""
    text = f"{PETITIONS[language.code][0]} https://petition-{draw.randint(1, 99)}.example/train"
    return [
        Person(
            user_name(draw, language),
            days(draw, 0.5, 6),
            [Post(text, minutes(draw, 200), mentions=1, circle=1), *_small_talk(draw, language, 2)],
            followers=draw.randint(0, 3),
        )
        for _ in range(GROUP)
    ]


def newcomers(draw: random.Random, language: Language) -> list[Person]:
    """copy-paste-wave: introduce themselves word for word as others do, and know nobody yet."""
    return [
        Person(user_name(draw, language), days(draw, 0.1, 2), [Post(language.intro, minutes(draw, 100), tags=1)])
        for _ in range(GROUP)
    ]


def school_class(draw: random.Random, language: Language) -> list[Person]:
    """name-series-wave: pupils whom the teacher signed up in one go; they answer with a link to their work."""
    name = f"{draw.choice(language.first_names)}_7{draw.choice('abcd')}_{draw.choice(['sun', 'moon', 'star'])}"
    return [
        Person(
            f"{name}{number:02}",
            timedelta(hours=draw.uniform(1, 5)),
            [Post(f"{language.sentence(draw)} https://school.example/7b/{number}", minutes(draw, 50), circle=1)],
            followers=draw.randint(0, 2),
        )
        for number in range(1, GROUP + 1)
    ]


def booster(draw: random.Random, language: Language) -> list[Person]:
    """casino-words, crypto-link-spam, goods-spam: passes on what others wrote, to show how bad it is."""
    posts = series(draw, 5, WARNINGS[language.code], url="https://spin.example")
    for post in posts:
        post.boost = True
    return [Person(user_name(draw, language), days(draw, 1, 10), [*posts, *_small_talk(draw, language, 3)])]


def photographer(draw: random.Random, language: Language) -> list[Person]:
    """link-farming: puts the best pictures of ten years online on the first day, with links and hashtags."""
    posts = [
        Post(f"{PHOTO_WORDS[language.code][0]} https://photo.example/{n}", minutes(draw, 900), tags=4, media=(one,))
        for n, one in enumerate(picture(draw) for _ in range(10))
    ]
    return [Person(user_name(draw, language), days(draw, 1, 20), posts, followers=draw.randint(0, 8))]


PHOTO_WORDS: Texts = {
    "en": ("My garden in May",),
    "de": ("Mein Garten im Mai",),
    "es": ("Mi jardín en mayo",),
    "ru": ("Мой сад в мае",),
    "ja": ("五月の庭がとてもきれいです",),
}


def _small_talk(draw: random.Random, language: Language, number: int) -> list[Post]:
    return [Post(language.sentence(draw), minutes(draw, 600)) for _ in range(number)]


NEAR: Mapping[str, Maker] = {
    make.__name__: make
    for make in (
        *(warner, old_warner, conversation, helper, namesake, newsroom, gambler, teacher, pharmacist, bilingual),
        *(
            weather_bot,
            announcer,
            lively,
            ticker,
            born,
            numbered,
            channel,
            podcast,
            answerer,
            moved,
            friends,
            fans,
            petitioners,
        ),
        *(newcomers, school_class, booster, photographer),
    )
}
