"""What Turbotext's free texts mean, Russian or English. No list of them is known.

Source: facts/providers.md §5 (an unsourced list of names, tolerated as such) and what such services say."""

import re

from boothd.base.errors import BadAnswer, BadKey, BadRequest, Busy, Charged, OutOfCredit, Refused, WorkError
from boothd.providers.common.ask import shortened

# The first that is found counts. `\b` does not see quality_limit as a limit.
_MEANINGS: tuple[tuple[re.Pattern[str], type[WorkError], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), kind, hint)
    for pattern, kind, hint in (
        (r"face_?\s?not|no face|лиц\w*\s+не\s|не\s\w+\s+лиц", Refused, "No face was found in the photo."),
        (r"quality_limit|size_error", Refused, "The photo's size or quality does not suit Turbotext."),
        (r"too many|rate.?limit|слишком (много|часто)|перегруж|overload", Busy, "Turbotext has no room right now."),
        (
            r"\blimits?\b|\bcredits?\b|лимит|кредит|баланс|недостаточно средств|пополни",
            OutOfCredit,
            "The Turbotext account has no credits left.",
        ),
        (
            r"api.?key|\bключ|\btoken\b|токен|unauthori[sz]ed|авториз|тариф|\bvip\b|access denied|"
            r"\bдоступ\w*\s+(только|запрещ)|нет доступа",
            BadKey,
            "Turbotext does not accept the key, or its tariff.",
        ),
        (r"forbidden|moderat|nsfw|запрещ|модерац|недопустим", Refused, "Turbotext refused the photo or the prompt."),
        (r"url_error", BadRequest, "Turbotext could not fetch a picture: can it reach boothd's public_url?"),
        (r"params_error|метод не найден|no such method", BadRequest, "Turbotext does not take the request."),
    )
)

_LINK = re.compile(r"https?:[\\/]+\S+", re.IGNORECASE)
_NOT_TAKEN = re.compile(r"не\s+(был[иоа]?\s+)?списан|возвращен|not charged|refund", re.IGNORECASE)
_NUMBER_UNKNOWN = re.compile(
    r"^\W*unknown\W*($|:)|"
    r"(queue|async|\bid\b|очеред|задач).*(не\s?найден|not found|unknown|неизвест|не существует)|"
    r"(unknown|неизвест\w*)\s+(queue|async|id\b|номер|очеред)",
    re.IGNORECASE,
)


def explained(text: str, charged: Charged) -> WorkError:
    """The error that a complaint is. charged: whether the queue entry it is about costs.

    Where the service says that it has no credit or took none, YES becomes MAYBE."""
    kind, hint = next(((kind, hint) for found, kind, hint in _MEANINGS if found.search(text)), (BadAnswer, ""))
    doubtful = kind in {OutOfCredit, BadKey, Busy} or _NOT_TAKEN.search(text) is not None
    if charged is Charged.YES and doubtful:
        charged = Charged.MAYBE
    said = f"It said: {shortened(text)}" if hint else f"Turbotext failed: {shortened(text)}"
    return kind(f"{hint} {said}".strip(), charged=charged)


def without_links(text: str) -> str:
    """The text without addresses: ours hold signatures."""
    return _LINK.sub("(link)", text)


def is_unknown_number(text: str) -> bool:
    """Whether a complaint says that there is no such queue entry."""
    return _NUMBER_UNKNOWN.search(text) is not None
