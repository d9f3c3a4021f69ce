"""The looks there are."""

from typing import Final

from boothd.providers.studio.looks import words
from boothd.providers.studio.looks.charcoal import charcoal
from boothd.providers.studio.looks.cinematic import cinematic
from boothd.providers.studio.looks.comic import comic
from boothd.providers.studio.looks.engraving import engraving
from boothd.providers.studio.looks.glass import glass
from boothd.providers.studio.looks.linocut import linocut
from boothd.providers.studio.looks.look import Look
from boothd.providers.studio.looks.newsprint import newsprint
from boothd.providers.studio.looks.oil import oil
from boothd.providers.studio.looks.pencil import pencil
from boothd.providers.studio.looks.photo import bw, film
from boothd.providers.studio.looks.pointillism import pointillism
from boothd.providers.studio.looks.popart import popart
from boothd.providers.studio.looks.riso import riso
from boothd.providers.studio.looks.stitch import stitch
from boothd.providers.studio.looks.vintage import vintage
from boothd.providers.studio.looks.watercolour import watercolour


def _words(english: str, russian: str) -> tuple[str, ...]:
    """Both lists in one, in the notation of `words.py`; commas between."""
    return tuple(f"{english}, {russian}".split(", "))


DEFAULT: Final = Look(
    "film",
    "Colour film",
    "Цветная плёнка",
    _words(
        "film, analog*, kodak*, portra, 35mm, ~photo*, ~natural*",
        "плёнк*, плёночн*, аналогов*, кодак*, ~фото, ~фотограф*, ~естествен*, ~натуральн*",
    ),
    film,
)

LOOKS: Final[tuple[Look, ...]] = (
    DEFAULT,
    Look(
        "bw",
        "Black and white",
        "Чёрно-белое фото",
        _words(
            "film noir, black and white, black white, bw, b w, monochrom*, grayscale, greyscale, noir, ~silver",
            "фильм нуар, черно бел*, чернобел*, чб, ч б, монохром*, нуар*",
        ),
        bw,
    ),
    Look(
        "vintage",
        "Vintage print",
        "Старый снимок",
        _words(
            "vintage, retro, polaroid*, instant photo*, old photo*, faded, sepia, nostalg*, lomo*, 70s, 1970s, "
            "80s, light leak*, ~old, ~antique",
            "винтаж*, ретро, полароид*, сепи*, ломо*, ~старин*, старое фото*, старая фото*, старой фото*, старую "
            "фото*, выцвет*, ностальг*, ~старый, ~старая, ~старое, ~старого, ~старой, ~старую",
        ),
        vintage,
    ),
    Look(
        "cinematic",
        "Cinema",
        "Кино",
        _words(
            "cinema*, movie*, hollywood, blockbuster*, teal, teal and orange, anamorphic, film still, feature "
            "film, ~dramatic, ~glow*",
            "кино*, кинематограф*, голливуд*, блокбастер*, бирюзов*, ~драматич*",
        ),
        cinematic,
    ),
    Look(
        "pencil",
        "Pencil drawing",
        "Карандаш",
        _words(
            "pencil*, graphite, pencil sketch*, ~sketch*, ~drawing*, ~draw, ~drawn, hatch*",
            "карандаш*, графит*, штрих*, ~эскиз*, ~набросок, ~наброс*, ~рисунок, ~рисунк*, ~скетч*",
        ),
        pencil,
    ),
    Look(
        "charcoal",
        "Charcoal and chalk",
        "Уголь и мел",
        _words(
            "charcoal*, chalk*, conte, ~pastel*, ~smudge*",
            "уголь, угля, углем, угольн*, мел, мела, мелом, мелк*, сангин*, ~пастел*",
        ),
        charcoal,
    ),
    Look(
        "watercolour",
        "Watercolour",
        "Акварель",
        _words(
            "watercolo*, water colo*, aquarel*, gouache, ~wash",
            "акварел*, гуаш*",
        ),
        watercolour,
    ),
    Look(
        "oil",
        "Oil painting",
        "Масло",
        _words(
            "oil, oils, oil paint*, impasto, van gogh, rembrandt, impressionis*, monet, brushstroke*, brush "
            "stroke*, acrylic*, canvas, ~paint*",
            "масло, маслом, масла, масле, маслян*, импасто, ван гог*, рембрандт*, импрессион*, моне, мазк*, "
            "мазок, холст*, акрил*, ~живопис*, ~картин*, ~краск*",
        ),
        oil,
    ),
    Look(
        "pointillism",
        "Pointillism",
        "Пуантилизм",
        _words(
            "pointillis*, seurat, signac, dabs, ~dots",
            "пуантилл*, пуантил*, синьяк*, ~точк*",
        ),
        pointillism,
    ),
    Look(
        "comic",
        "Comic book",
        "Комикс",
        _words(
            "comic*, comic book, cartoon*, manga, anime, superhero*, graphic novel, lichtenstein, marvel, ben "
            "day, ~ink, ~outlines",
            "комикс*, мульт*, манга, манги, мангу, аниме, супергеро*, лихтенштейн*, рисованн*, ~тушь, ~тушью",
        ),
        comic,
    ),
    Look(
        "popart",
        "Pop art",
        "Поп-арт",
        _words(
            "pop art, popart, warhol*, andy warhol, silkscreen*, screen print*, screenprint*, marilyn",
            "поп арт*, попарт*, уорхол*, энди уорхол*, шелкограф*, мэрилин",
        ),
        popart,
    ),
    Look(
        "riso",
        "Risograph",
        "Ризограф",
        _words(
            "riso, risograph*, risoprint*, spot colo*, duotone, misregist*, zine, ~poster",
            "ризо, ризограф*, дуотон*, ~постер*, ~афиш*, ~плакат*",
        ),
        riso,
    ),
    Look(
        "newsprint",
        "Newspaper",
        "Газета",
        _words(
            "halftone*, half tone*, newspaper*, newsprint*, raster, ~dots, ~press, ~print*",
            "газет*, растр*, полутон*, ~печат*, ~точк*",
        ),
        newsprint,
    ),
    Look(
        "engraving",
        "Engraving",
        "Гравюра",
        _words(
            "engrav*, etching*, etched, banknote*, copperplate, dürer, durer, gravure, ~lines",
            "гравюр*, гравиров*, офорт*, банкнот*, купюр*, дюрер*, ~лини*",
        ),
        engraving,
    ),
    Look(
        "linocut",
        "Linocut",
        "Линогравюра",
        _words(
            "linocut*, lino, linoprint*, lino print*, woodcut*, wood cut*, wood block*, woodblock*, block print*",
            "линограв*, линорез*, линолеум*, ксилограф*, гравюра на дереве, гравюры на дереве",
        ),
        linocut,
    ),
    Look(
        "glass",
        "Stained glass",
        "Витраж",
        _words(
            "stained glass, stain glass, stained, tiffany, mosaic*, church window*, ~glass",
            "витраж*, мозаик*, мозаичн*, тиффани, цветное стекло, цветного стекла, ~стекл*",
        ),
        glass,
    ),
    Look(
        "stitch",
        "Cross-stitch",
        "Вышивка крестом",
        _words(
            "cross stitch*, crossstitch*, stitch*, embroider*, needlework, knit*, tapestry, ~thread*, ~wool*",
            "вышив*, вышит*, крестик*, крестом, вязан*, вяза*, гобелен*, рукодел*, ~нитк*, ~шерст*",
        ),
        stitch,
    ),
)


def choose(prompt: str) -> Look:
    """The look that `prompt` asks for, in English or Russian; colour film if it asks for none. Never raises."""
    return words.pick(prompt, LOOKS, DEFAULT)
