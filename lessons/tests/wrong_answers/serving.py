"""Wrong answers to the exercises of lesson 27."""

import torch


def read_image__torch_will_tell(body):
    return torch.tensor(body["image"], dtype=torch.uint8).view(1, 8, 8)


def read_image__values_unchecked(body):
    if not isinstance(body, dict) or "image" not in body:
        raise ValueError("there is no field 'image'")
    image = torch.tensor(body["image"])
    if image.shape != (8, 8):
        raise ValueError("the image must have 8 rows of 8 pixels")
    return image.to(torch.uint8)[None]


def read_image__true_is_one(body):
    if not isinstance(body, dict) or set(body) != {"image"}:
        raise ValueError("the one field must be 'image'")
    image = body["image"]
    if not isinstance(image, list) or len(image) != 8 or not all(isinstance(row, list) for row in image):
        raise ValueError("the image must be 8 rows")
    if any(len(row) != 8 or not all(isinstance(pixel, int) and 0 <= pixel < 256 for pixel in row) for row in image):
        raise ValueError("a row must be 8 whole numbers from 0 to 255")
    return torch.tensor(image, dtype=torch.uint8)[None]


def read_image__clamped(body):
    if not isinstance(body, dict) or set(body) != {"image"}:
        raise ValueError("the one field must be 'image'")
    return torch.tensor(body["image"]).clamp(0, 255).to(torch.uint8).view(1, 8, 8)


def _answers(logits):
    best = logits.softmax(1).max(1)
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return [{"label": label, "probability": probability} for label, probability in pairs]


def answer__in_training_mode(model, images, most):
    with torch.inference_mode():
        return [each for part in images.split(most) for each in _answers(model(part))]


def answer__with_gradients(model, images, most):
    model.eval()
    return [each for part in images.split(most) for each in _answers(model(part))]


def answer__all_at_once(model, images, most):
    model.eval()
    with torch.inference_mode():
        return _answers(model(images))


def answer__tensors(model, images, most):
    model.eval()
    with torch.inference_mode():
        best = [model(part).softmax(1).max(1) for part in images.split(most)]
    return [{"label": i, "probability": p} for one in best for p, i in zip(one.values, one.indices, strict=True)]


def answer__last_part_lost(model, images, most):
    model.eval()
    with torch.inference_mode():
        return [each for k in range(len(images) // most) for each in _answers(model(images[k * most : (k + 1) * most]))]


def answer__logits(model, images, most):
    model.eval()
    with torch.inference_mode():
        best = [model(part).max(1) for part in images.split(most)]
    pairs = [(i.item(), v.item()) for one in best for v, i in zip(one.values, one.indices, strict=True)]
    return [{"label": label, "probability": value} for label, value in pairs]


def next_batch__counts_requests(waiting, most):
    return min(len(waiting), most)


def next_batch__large_one_never(waiting, most):
    count, rows = 0, 0
    for each in waiting:
        if rows + each > most:
            break
        count, rows = count + 1, rows + each
    return count


def next_batch__overtakes(waiting, most):
    count, rows = 0, 0
    for each in waiting:
        if rows + each <= most or not count:
            count, rows = count + 1, rows + each
    return count


def next_batch__one_too_few(waiting, most):
    count, rows = 0, 0
    for each in waiting:
        if count and rows + each >= most:
            break
        count, rows = count + 1, rows + each
    return count
