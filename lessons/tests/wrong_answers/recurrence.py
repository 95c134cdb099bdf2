"""Wrong answers to the exercises of lesson 11."""


def gru_step__gates_swapped(x, h, weight_x, weight_h, bias_x, bias_h):
    reset_x, update_x, new_x = (x @ weight_x.T + bias_x).chunk(3, dim=1)
    reset_h, update_h, new_h = (h @ weight_h.T + bias_h).chunk(3, dim=1)
    update = (update_x + update_h).sigmoid()
    new = (new_x + (reset_x + reset_h).sigmoid() * new_h).tanh()
    return update * new + (1 - update) * h


def gru_step__no_reset(x, h, weight_x, weight_h, bias_x, bias_h):
    _, update_x, new_x = (x @ weight_x.T + bias_x).chunk(3, dim=1)
    _, update_h, new_h = (h @ weight_h.T + bias_h).chunk(3, dim=1)
    update = (update_x + update_h).sigmoid()
    return (1 - update) * (new_x + new_h).tanh() + update * h


def last_outputs__padding(outputs, lengths):
    return outputs[:, -1]


def last_outputs__one_too_far(outputs, lengths):
    return outputs[range(len(outputs)), lengths.clamp(max=outputs.shape[1] - 1)]


def clip_gradients__each_alone(gradients, limit):
    return [gradient * (limit / gradient.norm()).clamp(max=1.0) for gradient in gradients]


def clip_gradients__by_value(gradients, limit):
    return [gradient.clamp(-limit, limit) for gradient in gradients]
