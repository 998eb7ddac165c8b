"""Spam of every shipped kind, in five languages: each maker is named after the rule that must find it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import timedelta

from tests.demo.languages import Language
from tests.demo.people import Maker, Person, Post, days, minutes, picture, series, user_name

Texts = Mapping[str, Sequence[str]]
WAVE = 6  # accounts in a campaign

CRYPTO: Texts = {
    "en": ("Claim your airdrop now", "Free tokens, connect wallet", "\u0410irdrop: claim now", "Double your BTC"),
    "de": ("Hol dir den Airdrop, nur heute", "Gratis Krypto: jetzt Wallet verbinden", "Verdopple deine Bitcoin"),
    "es": ("Reclama tu airdrop hoy", "Cripto gratis: conecta tu billetera", "Duplica tus bitcoin en un día"),
    "ru": ("Забери аирдроп до полуночи", "Бесплатная криптовалюта, подключи кошелёк", "Удвой свои биткоины"),
    "ja": ("エアドロップを今すぐ受け取る", "無料の仮想通貨! ウォレットを接続してね", "ビットコインを倍にする方法"),
}
WAVED: Texts = {
    "en": ("hey", "look at my profile", "hello there"),
    "de": ("hallo du", "schau mal in mein Profil", "na ihr"),
    "es": ("hola", "mira mi perfil", "buenas"),
    "ru": ("привет", "загляни в мой профиль", "эй"),
    "ja": ("こんにちは", "プロフィール見てね", "ねえ"),
}
BAIT_BIOS: Texts = {
    "en": ("Official Mastodon support, verify your account", "Certified recovery expert", "Guaranteed profit daily"),
    "de": ("Offizieller Support von Mastodon. Verifiziere dein Konto", "Garantierte Rendite, jeden Tag"),
    "es": ("Soporte oficial de Mastodon: verifica tu cuenta", "Ganancias garantizadas con poco dinero"),
    "ru": ("Служба поддержки. Подтвердите аккаунт", "Гарантированная прибыль каждый день"),
    "ja": ("公式サポート。アカウント認証はこちら", "必ず儲かる投資を教えます"),
}
STAFF: Texts = {
    "en": ("\u2705 Mastodon Support", "Account Verification Team"),
    "de": ("Mastodon Sicherheit", "Mastodon Support"),
    "es": ("Soporte de Mastodon \u2705", "Equipo de verificación"),
    "ru": ("Поддержка Mastodon", "Служба проверки аккаунтов"),
    "ja": ("Mastodonサポートチーム", "アカウント認証チーム"),
}
OFFERS: Texts = {
    "en": ("Best offers", "New in the shop today", "You will love these"),
    "de": ("Die besten Angebote", "Neu im Laden", "Das musst du sehen"),
    "es": ("Las mejores ofertas", "Novedades de hoy", "Te va a encantar"),
    "ru": ("Лучшие предложения", "Новинки магазина", "Вам понравится"),
    "ja": ("お得な商品", "本日の新着", "おすすめです"),
}
CASINO: Texts = {
    "en": ("Best online casino of 2026", "100 free spins, no deposit bonus", "c\u0430sino bonus for you"),
    "de": ("Bestes Online Casino mit Freispielen", "Casino Bonus ohne Einzahlung"),
    "es": ("Giros gratis en el mejor casino online", "Bono sin depósito, casino online gratis"),
    "ru": ("Лучшее онлайн казино", "Фриспины и бездепозитный бонус"),
    "ja": ("オンラインカジノの入金不要ボーナス", "フリースピンがもらえるおすすめカジノ"),
}
DISGUISED: Texts = {
    "en": ("W\u0456nner of a ph\u043ene", "your pr\u0456ze w\u0430its", "your p\u0430ssw\u043erd expired"),
    "de": ("Dein G\u0435winn w\u0430rtet", "K\u043ento g\u0435sperrt, bitte prüfen"),
    "es": ("Tu pr\u0435mio te \u0435sper\u0430", "cu\u0435nt\u0430 bloqueada, entra aquí"),
    # Latin letters in Russian words: hidden from filters that look for Russian ones.
    "ru": ("Б\u0065спл\u0061тный п\u006fд\u0061рок", "З\u0061р\u0061б\u006fт\u006fк без вл\u006fж\u0065ний"),
    "ja": ("無料のiPh\u043eneが当たる", "G\u043e\u043egleアカウントの確認"),
}
AGAIN: Texts = {
    "en": ("buy now", "follow me", "again"),
    "de": ("kauf jetzt", "folge mir", "nochmal"),
    "es": ("compra ya", "sígueme", "otra vez"),
    "ru": ("купи", "подпишись", "ещё раз"),
    "ja": ("買ってね", "フォローして", "もう一度"),
}
PICTURES: Texts = {
    "en": ("Nice pictures here",),
    "de": ("Schöne Bilder gibt es hier",),
    "es": ("Fotos bonitas por aquí",),
    "ru": ("Красивые картинки здесь",),
    "ja": ("かわいい写真はこちらから見てね",),
}
GOODS: Texts = {
    "en": ("Buy Instagram followers, cheap", "Order Viagra without prescription", "Cheap essays, no plagiarism"),
    "de": ("Viagra ohne Rezept bestellen", "Instagram Follower kaufen, billig", "Führerschein kaufen ohne Prüfung"),
    "es": ("Comprar seguidores de Instagram", "Comprar viagra sin receta, envío rápido", "Réplicas de relojes de lujo"),
    "ru": ("Накрутка подписчиков недорого", "Купить диплом быстро", "Купить виагру без рецепта"),
    "ja": ("フォロワー購入はこちら", "バイアグラ通販、処方箋なし", "ブランドコピー激安"),
}
HIDDEN: Texts = {
    "en": ("You have to see this", "Is this you?", "My private gallery"),
    "de": ("Das musst du sehen", "Bist du das?", "Meine private Galerie"),
    "es": ("Tienes que ver esto", "¿Eres tú?", "Mi galería privada"),
    "ru": ("Это надо видеть", "Это ты?", "Мой закрытый альбом"),
    "ja": ("これ見て", "これはあなた?", "秘密のアルバム"),
}
ANSWERS: Texts = {
    "en": ("Great post! I found the answer on this page, have a look",),
    "de": ("Toller Beitrag! Die Lösung habe ich auf dieser Seite gefunden",),
    "es": ("¡Gran publicación! Encontré la solución en esta página, mira",),
    "ru": ("Отличный пост! Ответ я нашёл на этой странице, посмотри",),
    "ja": ("素敵な投稿ですね! 答えはこのページで見つけました。ぜひ見てください",),
}
GREETINGS: Texts = {
    "en": ("Hi, I saw your profile and want to talk", "Hi, I saw your profile and want to talk!"),
    "de": ("Hallo, ich habe dein Profil gesehen und möchte reden",),
    "es": ("Hola, vi tu perfil y me gustaría hablar contigo",),
    "ru": ("Привет, увидела твой профиль и хочу познакомиться",),
    "ja": ("プロフィールを見てお話ししたくなりました。返事をください",),
}
SLOGANS: Texts = {
    "en": ("The method that banks do not want you to know about",),
    "de": ("Die Methode, die dir keine Bank freiwillig verraten wird",),
    "es": ("El método que los bancos no quieren que conozcas nunca",),
    "ru": ("Метод, о котором банки никогда вам не расскажут сами",),
    "ja": ("銀行が絶対に教えない方法を公開します。今だけ無料です",),
}
LEAFLETS: Texts = {
    "en": ("Our group is full of lonely hearts who would like to meet you this very night, write to us",),
    "de": ("In unserer Gruppe warten viele einsame Herzen, die dich noch heute Nacht treffen wollen, schreib uns",),
    "es": ("En nuestro grupo hay muchos corazones solitarios que quieren conocerte esta misma noche, escríbenos",),
    "ru": ("В нашей группе много одиноких сердец, которые хотят встретиться с тобой этой же ночью, пиши нам",),
    "ja": ("私たちのグループには今夜あなたに会いたい人がたくさん待っています。気軽に連絡してください",),
}
CAPTIONS: Texts = {
    "en": ("so tasty", "look", "spam"),
    "de": ("lecker", "schaut", "mmh"),
    "es": ("qué rico", "mira", "ñam"),
    "ru": ("вкусно", "гляди", "ням"),
    "ja": ("おいしい", "みて", "スパム"),
}
INVITES: Texts = {
    "en": ("Come in, the door is open", "We met, remember?"),
    "de": ("Komm rein, die Tür ist offen", "Weißt du noch?"),
    "es": ("Pasa, la puerta está abierta", "¿Te acuerdas de mí?"),
    "ru": ("Заходи, дверь открыта", "Помнишь меня?"),
    "ja": ("入ってきて", "覚えてる?"),
}
HINTS: Texts = {
    "en": ("Write to me privately",),
    "de": ("Schreib mir privat",),
    "es": ("Escríbeme por privado",),
    "ru": ("Пиши в личку",),
    "ja": ("LINEを追加してね",),
}


def crypto(draw: random.Random, language: Language) -> list[Person]:
    url = f"https://wallet-{draw.randint(1, 99)}.example"
    texts, number = CRYPTO[language.code], draw.randint(3, 8)
    posts = series(draw, number, texts, within=300, url=url, mentions=(2, 5))
    return [Person(user_name(draw, language), days(draw, 0.1, 10), posts)]


def wave(draw: random.Random, language: Language) -> list[Person]:
    posts = series(draw, draw.randint(6, 12), WAVED[language.code], within=200, mentions=(4, 8))
    return [Person(user_name(draw, language), days(draw, 0.2, 5), posts)]


def phishing(draw: random.Random, language: Language) -> list[Person]:
    bio = f"{draw.choice(BAIT_BIOS[language.code])}: https://help-{draw.randint(1, 99)}.example"
    posts = [Post(language.sentence(draw), minutes(draw, 300))]
    return [Person(user_name(draw, language), days(draw, 0.5, 25), posts, bio=bio)]


def impostor(draw: random.Random, language: Language) -> list[Person]:
    """Says who it is in the name alone; the bio is a link."""
    bio, name = f"https://login-{draw.randint(1, 99)}.example", draw.choice(STAFF[language.code])
    return [Person(user_name(draw, language), days(draw, 0.5, 25), bio=bio, name=name)]


def farming(draw: random.Random, language: Language) -> list[Person]:
    url = f"https://deals-{draw.randint(1, 99)}.example"
    number, tags = draw.randint(9, 15), draw.randint(3, 6)
    posts = series(draw, number, OFFERS[language.code], within=1200, url=url, tags=tags)
    return [Person(user_name(draw, language), days(draw, 2, 25), posts)]


def casino(draw: random.Random, language: Language) -> list[Person]:
    posts = series(draw, draw.randint(2, 6), CASINO[language.code], url="https://spin.example")
    return [Person(user_name(draw, language), days(draw, 0.5, 25), posts)]


def disguised(draw: random.Random, language: Language) -> list[Person]:
    posts = series(draw, draw.randint(2, 5), DISGUISED[language.code], url="https://odd.example")
    return [Person(user_name(draw, language), days(draw, 0.5, 25), posts)]


def flood(draw: random.Random, language: Language) -> list[Person]:
    texts = AGAIN[language.code]
    posts = [Post(draw.choice(texts), timedelta(seconds=40 * n + 5)) for n in range(draw.randint(70, 90))]
    return [Person(user_name(draw, language), timedelta(hours=draw.uniform(2, 6)), posts)]


def scripted_name(draw: random.Random, language: Language) -> str:
    """Draw a name as scripts make them."""
    return f"{draw.choice(language.first_names)}{draw.randint(21000, 99999)}"


def named(draw: random.Random, language: Language) -> list[Person]:
    posts = series(draw, draw.randint(5, 8), PICTURES[language.code], within=700, url="https://pics.example")
    return [Person(scripted_name(draw, language), days(draw, 0.3, 5), posts)]


def goods(draw: random.Random, language: Language) -> list[Person]:
    url = f"https://shop-{draw.randint(1, 99)}.example"
    posts = series(draw, draw.randint(2, 6), GOODS[language.code], url=url)
    return [Person(user_name(draw, language), days(draw, 0.5, 25), posts)]


def hidden(draw: random.Random, language: Language) -> list[Person]:
    url = f"https://{draw.choice(['bit.ly', 'tinyurl.com', 'is.gd'])}/{draw.randint(1000, 9999)}"
    posts = series(draw, draw.randint(5, 8), HIDDEN[language.code], within=600, url=url, mentions=(1, 2))
    return [Person(user_name(draw, language), days(draw, 0.2, 12), posts)]


def replier(draw: random.Random, language: Language) -> list[Person]:
    url = f"https://solved-{draw.randint(1, 99)}.example"
    posts = series(draw, draw.randint(6, 11), ANSWERS[language.code], within=300, url=url, mentions=(1, 1), reply=True)
    return [Person(user_name(draw, language), days(draw, 0.3, 10), posts)]


def first_hour(draw: random.Random, language: Language) -> list[Person]:
    posts = series(draw, draw.randint(9, 14), GREETINGS[language.code], within=40, mentions=(1, 2))
    return [Person(user_name(draw, language), timedelta(minutes=draw.randint(45, 100)), posts)]


def repeater(draw: random.Random, language: Language) -> list[Person]:
    posts = series(draw, draw.randint(14, 20), SLOGANS[language.code], within=500, url="https://secret.example")
    return [Person(user_name(draw, language), timedelta(hours=draw.uniform(9, 20)), posts)]


def one_host(draw: random.Random, language: Language) -> list[Person]:
    """Each says something else, to strangers, and links to the same host."""
    url = f"https://wallet-verify{draw.randint(1, 999)}.example"
    return [
        Person(
            user_name(draw, language),
            days(draw, 0.1, 5),
            series(draw, 3, INVITES[language.code], within=150, url=url, mentions=(1, 2)),
        )
        for _ in range(WAVE)
    ]


def copies(draw: random.Random, language: Language) -> list[Person]:
    """All say the same, but for whom they say it to; no link."""
    texts = [f"{LEAFLETS[language.code][0]} {number}!" for number in draw.sample(range(10, 99), 3)]
    return [
        Person(user_name(draw, language), days(draw, 0.2, 5), series(draw, 2, texts, within=150, mentions=(2, 3)))
        for _ in range(WAVE)
    ]


def pictures(draw: random.Random, language: Language) -> list[Person]:
    """The same picture with hardly a word, as the Japanese wave of February 2024 had it."""
    blurhash, texts = picture(draw), CAPTIONS[language.code]
    return [
        Person(
            user_name(draw, language),
            days(draw, 0.2, 5),
            series(draw, 3, texts, within=150, mentions=(2, 3), media=(blurhash,)),
        )
        for _ in range(WAVE)
    ]


def named_alike(draw: random.Random, language: Language) -> list[Person]:
    """Made in one go by a script, so far with a greeting and a link each."""
    name = "".join(draw.sample("bdfgklmnprst", 3)) + draw.choice(language.first_names)
    numbers = draw.sample(range(21000, 29999), WAVE)
    return [
        Person(
            f"{name}{number}",
            timedelta(hours=draw.uniform(1, 8)),
            [Post(f"{language.sentence(draw)} https://{name}-{number}.example", minutes(draw, 50))],
        )
        for number in numbers
    ]


def signs(draw: random.Random, language: Language) -> list[Person]:
    """Nothing that is enough by itself: a scripted name, an invitation, links to a messenger, strangers."""
    bio = f"{HINTS[language.code][0]} https://t.me/{draw.choice(language.first_names)}"
    posts = series(draw, 2, INVITES[language.code], url="https://t.me/+room", within=400, mentions=(1, 1))
    return [Person(scripted_name(draw, language), days(draw, 0.5, 6), posts, bio=bio)]


KINDS: Mapping[str, Maker] = {
    "crypto-link-spam": crypto,
    "mention-wave": wave,
    "phishing-bio": phishing,
    "poses-as-staff": impostor,
    "link-farming": farming,
    "casino-words": casino,
    "lookalike-words": disguised,
    "posting-rate": flood,
    "name-series": named,
    "goods-spam": goods,
    "hidden-links": hidden,
    "reply-spam": replier,
    "first-hour-mentions": first_hour,
    "repeated-text": repeater,
    "link-host-campaign": one_host,
    "copy-paste-wave": copies,
    "picture-wave": pictures,
    "name-series-wave": named_alike,
    "several-signs": signs,
}
