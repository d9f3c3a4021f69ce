"""*Cut out, don't repaint*: the model says where the guests are, their own pixels go onto the reference."""

from decimal import Decimal

from twisted.internet.defer import CancelledError

from boothd.base.errors import BadRequest, Charged, NotAPicture, OutOfTime, Refused, WorkError
from boothd.base.photo import Photo
from boothd.base.threads import Threads
from boothd.providers.gemini import cutout
from boothd.providers.interfaces import Call, Picture, Preset, Question, Reading, Reads


async def cut_out(reader: Reads, photo: Photo, preset: Preset, call: Call, pictures: Threads) -> Picture:
    """One attempt, as `Edits.edit`. Only the reading costs; what fails after it has cost as much."""
    if not preset.references:
        raise BadRequest("The slot has no reference picture to put the guests onto.")
    reading = await reader.read(photo, Question(cutout.GUESTS, "masks"), call)
    given_up = False

    def check() -> None:
        if given_up:
            raise OutOfTime()
        call.budget.check()

    def compose() -> None:
        scene = preset.references[0].path
        try:
            cutout.compose(photo.path, reading.found, scene, preset.size, preset.format, call.answer, check)
        finally:
            _remove_masks(reading)

    try:
        await pictures.run(compose)
    except CancelledError:
        given_up = True  # the thread sees it at its next step
        raise
    except WorkError as error:
        raise _paid(error, reading.cost) from error
    except NotAPicture as error:
        raise Refused(str(error), charged=Charged.YES, cost=reading.cost) from error
    return Picture(call.answer, reading.model, reading.cost, finished=True)


def _remove_masks(reading: Reading) -> None:
    for thing in reading.found:
        if thing.mask is not None:
            thing.mask.unlink(missing_ok=True)


def _paid(error: WorkError, cost: Decimal | None) -> WorkError:
    return type(error)(error.message, charged=Charged.YES, cost=cost)
