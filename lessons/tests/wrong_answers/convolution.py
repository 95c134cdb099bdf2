"""Wrong answers to the exercises of lesson 9."""


def output_size__padding_once(size, kernel, stride=1, padding=0, dilation=1):
    return (size + padding - dilation * (kernel - 1) - 1) // stride + 1


def output_size__no_dilation(size, kernel, stride=1, padding=0, dilation=1):
    return (size + 2 * padding - kernel) // stride + 1


def max_pool__neighbours_mixed(images, size):
    n, c, h, w = images.shape
    return images[:, :, : h // size * size, : w // size * size].reshape(n, c, h // size, w // size, -1).amax(dim=-1)


def max_pool__mean(images, size):
    n, c, h, w = images.shape
    whole = images[:, :, : h // size * size, : w // size * size]
    return whole.reshape(n, c, h // size, size, w // size, size).mean(dim=(3, 5))


def receptive_field__strides_forgotten(layers):
    return 1 + sum(kernel - 1 for kernel, _ in layers)


def receptive_field__own_stride(layers):
    seen, step = 1, 1
    for kernel, stride in layers:
        step *= stride
        seen += (kernel - 1) * step
    return seen
