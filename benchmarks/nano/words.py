"""Names, numbers and words that the training text is made of.

What is held out never comes from here: names that the held-out set uses, and its numbers
(held_out_number), which stand nowhere in the training text.
"""
from __future__ import annotations

from random import Random

ONSETS = ("b c d f g h j k l m n p qu r s t v w x y z br ch cl cr dr fl fr gl gr kl kn kr ph pl "
          "pr sc sh sk sl sm sn sp st str sw th tr tw vl wh wr zh").split()
VOWELS = "a a a a e e e e i i i o o o u u y ai au ea ee ei eo ia ie io oa oo ou ue".split()
CODAS = [""] * 16 + ("b c ck d f g gh k l l l ll lm m m n n n nd ng nk nn nt p r r r rd rk rn rt "
                     "s s sh sk ss st t th tt tch v x z").split()


def held_out_number(number: int) -> bool:
    """Whether a number belongs to the held-out set: 19, 26, 33, 40, 47 ..."""
    return number > 12 and number % 7 == 5


def number(random: Random, low: int, high: int) -> int:
    """A number from low to high, both included, that is not held out."""
    while held_out_number(drawn := random.randint(low, high)):
        pass
    return drawn


def price(random: Random, high: int = 90) -> float:
    """An amount of money such as 7.5 or 12.99, with no held-out number in it."""
    cents = random.choice([0, 5, 20, 25, 30, 45, 50, 60, 90, 95, 99])
    return number(random, 1, high) + cents / 100


def invented(random: Random, syllables: int | None = None) -> str:
    """A word that can be spoken and that nobody has heard, in small letters."""
    count = syllables or random.choice([1, 2, 2, 2, 3])
    word = "".join(random.choice(ONSETS) + random.choice(VOWELS)
                   + (random.choice(CODAS) if i == count - 1 or random.random() < .25 else "")
                   for i in range(count))
    return word[1:] if count > 1 and random.random() < .2 else word


def blended(random: Random, known: list[str]) -> str:
    """The head of one word and the tail of another, as in Rosabert or Hamlona."""
    head, tail = random.choice(known), random.choice(known).lower()
    return head[:random.randint(1, 4)] + tail[random.randint(1, len(tail) - 2):]


FIRST_NAMES = """
Ada Adam Aisha Alan Albert Alex Alice Amina Amy Andrea Andy Angela Ann Arthur Astrid Ben Bella
Boris Brian Bruno Carl Carla Carmen Carol Cathy Charles Chloe Chris Clara Colin Dan Daniel Daria
David Dora Doris Edgar Edith Elias Ella Emil Emma Eric Esther Eva Fatima Felix Fiona Frank Fred
George Gina Grace Greta Hana Hans Harry Helen Hugo Ian Ida Igor Ines Ingrid Iris Isaac Ivan Jack
James Jane Jason Jean Jenny Jim Joan Joe Johan John Jonas Joseph Joyce Julia June Karen Karim Kate
Keith Kevin Klaus Laila Lars Laura Lea Leo Leon Lily Linda Lisa Louis Lucas Lucy Luis Lydia Mara
Marco Maria Mark Martha Martin Mary Matt Max Mei Mia Mike Milo Mira Mona Nadia Nancy Neil Nick
Nicole Nils Nina Noah Nora Olga Olive Omar Oscar Otto Pablo Paul Paula Pedro Peter Petra Philip
Priya Quinn Rachel Ralph Raj Ray Rita Robert Robin Rosa Ruby Ruth Sally Sam Samira Sandra Sara
Simon Sofia Sonja Stella Steve Sue Susan Tania Tara Theo Thomas Tim Tina Tom Tony Ursula Vera
Victor Viola Walter Wendy Will Yara Yuki Yusuf Zara Zoe
""".split()

CITIES = """
Amsterdam Athens Bangkok Barcelona Beijing Bergen Berlin Bogota Boston Brussels Budapest Cairo
Chicago Copenhagen Dallas Delhi Denver Dubai Dublin Edinburgh Florence Geneva Glasgow Hamburg
Hanoi Havana Helsinki Houston Istanbul Jakarta Kyoto Lagos Lima Lisbon London Lyon Madrid Manila
Marseille Melbourne Miami Milan Montreal Moscow Mumbai Munich Nairobi Naples Oslo Ottawa Oxford
Paris Porto Prague Quito Riga Rome Salzburg Santiago Seattle Seoul Seville Shanghai Singapore
Sofia Stockholm Sydney Tallinn Tokyo Toronto Turin Valencia Venice Vienna Warsaw York Zurich
""".split()


def name(random: Random) -> str:
    """A first name; most of them are invented, so that any can be repeated."""
    kind = random.random()
    if kind < .4:
        return random.choice(FIRST_NAMES)
    return blended(random, FIRST_NAMES) if kind < .7 else invented(random).capitalize()


def city(random: Random) -> str:
    """A city; half of them are invented."""
    kind = random.random()
    if kind < .5:
        return random.choice(CITIES)
    if kind < .75:
        return blended(random, CITIES)
    return invented(random, random.choice([2, 2, 3])).capitalize()
