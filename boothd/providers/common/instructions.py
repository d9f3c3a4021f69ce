"""The built-in instructions of the models that take pictures and words. A slot's own prompt extends them.

The order of the pictures is told to the model as they are sent: the guest's photo first, then the references in the slot's
order. "Keep the face" is said positively: naming what must not happen makes it happen."""

FACE_SWAP = """\
The first picture is a photo of a guest; the second picture is a scene with a person in it. Make one photorealistic \
picture: the scene exactly as it is, with the guest in the place of its main person. Take over the guest's identity \
faithfully: face, facial proportions, skin tone, age, hair, glasses and expression are those of the first picture, so that \
friends recognise the guest at once. Take over everything else from the scene: pose, clothes, body, framing, background, \
style. Fit light, shadows, colours, sharpness and grain of the face to the scene, and let neck and hairline join without a \
seam. If the photo shows several guests and the scene several people, put each guest into one of them, from left to right."""

BACKGROUND = """\
The first picture is a photo of one or more guests; the second picture is a place. Make one photorealistic picture of the \
same guests in that place. Keep every guest of the first picture, complete, with the same face, expression, hair, clothes, \
pose and things in hand. Remove the old background entirely, its screen, its coloured light and its shadows. Put the guests \
into the foreground of the place at a natural size, standing or sitting on its ground, and match light direction, colour \
temperature, perspective, depth of field and contact shadows. Keep the place recognisable and its horizon level."""

PROMPT = """\
The first picture is a guest's photo. Change it as told below and return one finished picture. Keep every person \
recognisable: the same face, expression, age, skin tone and number of people, unless told otherwise below."""

FURTHER_REFERENCES = "Further pictures are references; use them as told below."


def instruction(built_in: str, prompt: str, references: int, expected: int) -> str:
    """What a model is told: the built-in part, then the slot's own words.

    references: how many reference pictures go along. expected: how many of them the built-in part speaks of."""
    parts = [built_in]
    if references > expected:
        parts.append(FURTHER_REFERENCES)
    if prompt:
        parts.append(prompt)
    return "\n\n".join(parts)


def with_negative(prompt: str, negative: str) -> str:
    """For services without a field for what must not be seen: said in words, as a whole sentence."""
    return f"{prompt}\n\nThe picture shows none of the following: {negative}." if negative else prompt
