"""What people of five languages are called, and what they write about on an ordinary day."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    """``sentences`` have two places for ``words``. ``intro`` is what newcomers write, often word for word."""

    code: str
    first_names: tuple[str, ...]
    words: tuple[str, ...]
    sentences: tuple[str, ...]
    bios: tuple[str, ...]
    answers: tuple[str, ...]
    intro: str
    share: float  # of all people

    def sentence(self, draw: random.Random) -> str:
        """Return a sentence of an ordinary day."""
        return draw.choice(self.sentences).format(*draw.sample(self.words, 2))


ENGLISH = Language(
    "en",
    ("alice", "oliver", "grace", "harry", "priya", "sean", "molly", "kwame", "ruth", "jack"),
    (
        *("garden", "train", "coffee", "mountain", "library", "bicycle", "bread", "window", "river", "photo"),
        *("winter", "book", "letter", "cat", "cloud", "island", "market", "station", "concert", "recipe", "forest"),
    ),
    (
        "Today I saw a {0} next to the {1}.",
        "Does anyone know a good {0} near the {1}?",
        "My {0} broke, the {1} is fine.",
        "I have been thinking about the {0} all day, and then the {1} came along and changed everything.",
        "Unpopular opinion: a {0} is better than any {1}.",
        "Finally finished the {0}. Next weekend: the {1}!",
        "Why is it always the {0} and never the {1}? \U0001f914",
        "{0}, {1}, bed. A good day.",
        "Wrote a few lines about the {0} and the old {1}:",
        "The {0} says it will rain, the {1} says it won't.",
    ),
    ("Engineer, cat person, slow runner.", "Books, trains, bread. She/her.", "Here to read. Opinions are mine.", ""),
    ("I agree with all of you", "Ha, the same here!", "Thanks, that helps", "No way! When was that?"),
    "Hello everyone! I am new here and still finding my way around. Whom should I follow? #introduction",
    0.4,
)
GERMAN = Language(
    "de",
    ("anna", "lukas", "greta", "jonas", "mehmet", "heike", "bernd", "lotte", "uwe", "sofie"),
    (
        *("Garten", "Zug", "Kaffee", "Berg", "Fahrrad", "Brot", "Fenster", "Fluss", "Winter", "Brief", "Katze"),
        *("Wolke", "Insel", "Markt", "Bahnhof", "Konzert", "Rezept", "Wald", "Brücke", "Nachbarin", "Bücherei"),
    ),
    (
        "Ein schöner Tag: {0}, {1} und viel Kaffee.",
        "Kennt jemand hier {0} und {1} in der Nähe von Graz?",
        "Heute wieder {0} statt {1}. Ich bereue nichts.",
        "Was macht ihr, wenn {0} und {1} gleichzeitig kaputtgehen?",
        "{0} fertig, {1} morgen. Gute Nacht!",
        "Die Geschichte vom {0}, der eigentlich ein {1} sein wollte, erzähle ich euch ein andermal.",
        "Ich übe noch: {0} geht schon ganz gut, {1} weniger.",
        "Gestern {0}, heute {1}, und die Bahn hatte nur zwölf Minuten Verspätung. \U0001f389",
    ),
    ("Lehrerin, zwei Kinder, ein Hund.", "Radfahren, Bücher, Brot backen.", "Schreibt über Züge. Privat hier.", ""),
    ("Sehe ich auch so", "Danke dir, das hilft!", "Haha, genau", "Wirklich? Wo war das?"),
    "Hallo zusammen! Ich bin neu hier und schaue mich noch etwas um. Wem sollte ich folgen? #neuhier",
    0.2,
)
SPANISH = Language(
    "es",
    ("lucia", "mateo", "carmen", "diego", "ines", "pablo", "rosa", "alvaro", "noelia", "javi"),
    (
        *("jardín", "tren", "café", "monte", "bicicleta", "pan", "ventana", "río", "invierno", "carta", "gato"),
        *("nube", "isla", "mercado", "estación", "concierto", "receta", "bosque", "puente", "vecina", "biblioteca"),
    ),
    (
        "Hoy: {0}. Mañana: {1}.",
        "¿Alguien conoce un buen {0} cerca de {1}?",
        "Otra vez {0} y {1}, así no se puede trabajar.",
        "Me gusta más {0} que {1}, lo siento.",
        "Llevo toda la tarde con {0} y al final he acabado hablando de {1} con mi madre.",
        "Qué bonito día para {0} y un poco de {1} \u2600\ufe0f",
        "He escrito algo sobre {0} y {1}:",
        "{0}, {1} y a dormir. ¡Buenas noches!",
    ),
    ("Profesora de música en Sevilla.", "Libros, trenes y pan.", "Aquí para leer. Opiniones mías.", ""),
    ("Estoy de acuerdo", "¡Gracias, me sirve!", "Jaja, igual aquí", "¿En serio? ¿Cuándo fue?"),
    "¡Hola a todos! Soy nueva por aquí y todavía estoy aprendiendo. ¿A quién debería seguir? #presentación",
    0.15,
)
RUSSIAN = Language(
    "ru",
    ("masha", "ivan", "olga", "dmitri", "lena", "pavel", "katya", "nikita", "vera", "anton"),
    (
        *("сад", "поезд", "кофе", "гора", "велосипед", "хлеб", "окно", "река", "зима", "письмо", "кот", "облако"),
        *("остров", "рынок", "вокзал", "концерт", "рецепт", "лес", "мост", "соседка", "библиотека"),
    ),
    (
        "Новая фотография: {0} и {1}.",
        "Кто знает, где тут {0} и {1}?",
        "Сегодня {0}, завтра {1}.",
        "Снова {0} вместо {1}, и я ни о чём не жалею.",
        "Весь день думала про {0}, а потом пришёл {1} и всё изменилось.",
        "Почему всегда {0} и никогда {1}?",
        "Написал немного про {0} и {1}:",
        "{0}, {1} и спать. Хороший день \U0001f642",
    ),
    ("Инженер, люблю кошек.", "Книги, поезда и хлеб.", "Учитель физики. Пишу редко.", ""),
    ("Согласна со всеми", "Спасибо, помогло!", "Ха, у меня так же", "Правда? Когда это было?"),
    "Всем привет! Я здесь недавно и пока осматриваюсь. На кого стоит подписаться? Буду рада знакомству #знакомство",
    0.1,
)
JAPANESE = Language(
    "ja",
    ("haruka", "kenta", "yui", "sota", "mio", "takumi", "aoi", "ren", "sakura", "daiki"),
    (
        *("庭", "電車", "コーヒー", "山", "自転車", "パン", "窓", "川", "冬", "手紙", "猫", "雲", "島", "市場", "駅"),
        *("コンサート", "レシピ", "森", "橋", "図書館", "写真"),
    ),
    (
        "今日は{0}と{1}を見た。",
        "{0}の近くにいい{1}があったら教えてください。",
        "また{0}。{1}はどこに行ったんだろう。",
        "一日中{0}のことを考えていたら、{1}を忘れた。",
        "{0}より{1}のほうが好きかもしれない。",
        "やっと{0}が終わった!週末は{1}。",
        "{0}と{1}について少し書きました。",
        "おやすみなさい。明日は{0}と{1}。",
    ),
    ("猫と電車が好きです。", "本とパンとコーヒー。", "のんびり読んでいます。無言フォロー失礼します。", ""),
    ("そうですね!", "ありがとうございます、助かりました", "わかります", "えっ、いつのことですか?"),
    "はじめまして! 最近こちらに引っ越してきました。まだよくわかりませんが、よろしくお願いします #はじめまして",
    0.15,
)
LANGUAGES = {one.code: one for one in (ENGLISH, GERMAN, SPANISH, RUSSIAN, JAPANESE)}


def any_language(draw: random.Random) -> Language:
    """Draw a language, as often as people of this server write it."""
    return draw.choices(list(LANGUAGES.values()), [one.share for one in LANGUAGES.values()])[0]
