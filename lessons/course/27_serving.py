# %% [markdown]
# # 27. Serving: a model that answers over HTTP
#
# The same model answers requests through FastAPI, through Flask and through Torchworks; we check that all of them give
# its own answers, refuse bad input in words, and compute the requests of many callers together.
#
# A trained model is a function; a **service** is that function with strangers at the other end. They send the wrong
# shape, all at the same time, at night. Most faults of services are not in the model. They are in what stands before it
# (input), around it (mode, threads) and behind it (numbers turned into text).

# %%
import asyncio
import contextlib
import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import flask
import matplotlib.pyplot as plt
import numpy as np
import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional as F
from werkzeug.serving import make_server

from torchworks.cnn_vision.classification.predictor import ClassifierPredictor, build_classifier, classifier_config
from torchworks.lessons import save_figure
from torchworks.lessons.figures import folder_of
from torchworks.serving.app import create_app
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export
from torchworks.serving.limits import Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.models.predictor import save_model

digits = load_digits()
x = torch.tensor(digits.images * 255 / 16).round().to(torch.uint8)[:, None]  # (1797, 1, 8, 8), as an image file has it
y = torch.tensor(digits.target)
order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
train, test = order[:1297], order[1297:]

# %% [markdown]
# ## The model, with its preprocessing inside
#
# This predictor takes the **bytes** of an image and gives probabilities. Scaling and normalizing are part of its
# `forward`. Whoever leaves them to the callers gets three versions of them, one of them wrong, and no error message.

# %%
CLASSES = tuple("0123456789")
CONFIG = classifier_config("resnet20", 8, 1, CLASSES, small_images=True, drop_rate=None, mean=[0.3], std=[0.37])
torch.manual_seed(0)
trained = build_classifier(CONFIG)
optimizer = torch.optim.AdamW(trained.net.parameters(), lr=1e-2)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=80)
trained.train()
for _ in range(80):
    rows = train[torch.randint(len(train), (32,))]
    optimizer.zero_grad()
    F.cross_entropy(trained.net(trained.normalized(x[rows])), y[rows]).backward()
    optimizer.step()
    schedule.step()
trained.eval()
with torch.inference_mode():
    accuracy = (trained(x[test]).argmax(1) == y[test]).float().mean().item()
print(f"a small ResNet reads {accuracy:.1%} of the test digits")
assert accuracy > 0.9

# %% [markdown]
# ## Saved without code, checked at every start
#
# A pickle may run any code of its maker's. `safetensors` holds numbers only; the architecture is our own code. Beside
# the weights we keep a **golden example**: two images with the answers that were given after training. A service that
# cannot repeat them must not start: the weights are others, a library changed, or somebody normalizes twice.

# %%
folder = folder_of("serving")
with torch.inference_mode():
    golden = {"image": x[test[:2]], "probability": trained(x[test[:2]])}
save_file(
    {name: value.contiguous() for name, value in trained.net.state_dict().items()}, folder / "weights.safetensors"
)
save_file(golden, folder / "golden.safetensors")


def open_model() -> ClassifierPredictor:
    """The saved model, ready for use; raises RuntimeError if it does not answer as it once did."""
    model = build_classifier(CONFIG)
    model.net.load_state_dict(load_file(folder / "weights.safetensors"))
    model.eval()
    known = load_file(folder / "golden.safetensors")
    with torch.inference_mode():
        difference = (model(known["image"]) - known["probability"]).abs().max().item()
    if not difference < 1e-4:  # written so that NaN does not pass
        raise RuntimeError(f"the golden example differs by {difference:.3g}: this is not the model that was saved")
    return model


model = open_model()

# %% [markdown]
# ## What a request may say
#
# One function without any web in it computes the answer, so that it can be tested alone. `inference_mode` records
# nothing for a backward pass. `tolist` makes Python's numbers, the only ones that JSON knows.
#
# The schema says what is allowed: 8 rows of 8 whole numbers from 0 to 255, and no other field. Strict, because "a
# little wrong" input gives an answer that looks as good as any other.

# %%
Pixel = Annotated[int, Field(ge=0, le=255)]
Row = Annotated[list[Pixel], Field(min_length=8, max_length=8)]


class Digit(BaseModel):
    """The body of a request."""

    model_config = ConfigDict(strict=True, extra="forbid")
    image: Annotated[list[Row], Field(min_length=8, max_length=8)]


def as_tensor(digit: Digit) -> Tensor:
    """uint8 (1, 8, 8)."""
    return torch.tensor(digit.image, dtype=torch.uint8)[None]


passes: list[int] = []
"""The rows of each forward pass."""


def probabilities(images: Tensor) -> list[list[float]]:
    """The answer to uint8 (N, 1, 8, 8): N lists of ten probabilities."""
    passes.append(len(images))
    with torch.inference_mode():
        return model(images).tolist()


def reply(row: list[float]) -> dict[str, Any]:
    return {"label": CLASSES[row.index(max(row))], "probability": row}


# %% [markdown]
# ## FastAPI
#
# FastAPI reads the schema from the type of the argument, answers 422 with the place of the mistake, and describes
# itself at `/docs`. The function is a plain `def`: FastAPI runs it in a thread. An `async def` that computes would stop
# all other requests meanwhile.

# %%
fast = FastAPI()


@fast.post("/predict")
def predict(digit: Digit) -> dict[str, Any]:
    return reply(probabilities(as_tensor(digit)[None])[0])


@fast.get("/ready")
def ready() -> dict[str, str]:
    return {"status": "ready"}


# %% [markdown]
# A test must use a real socket at least once. Port 0 means "any that is free", so that two tests never meet. The server
# runs in a thread and is told to stop when the block ends.


# %%
@contextlib.contextmanager
def served(app: Any) -> Iterator[int]:
    """Serve an ASGI app on a free port of this machine, which is given."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def ask(port: int, body: object, path: str = "/predict") -> tuple[int, Any]:
    """Status and decoded answer to a POST of `body` as JSON; text goes out as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        text = body if isinstance(body, str) else json.dumps(body)
        connection.request("POST", path, text, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def body_of(index: Tensor) -> dict[str, Any]:
    return {"image": x[index, 0].tolist()}


BAD = {
    "7 rows": {"image": [[0] * 8] * 7},
    "a pixel of 256": {"image": [[0] * 8] * 7 + [[0] * 7 + [256]]},
    "a text as a pixel": {"image": [[0] * 8] * 7 + [[0] * 7 + ["255"]]},
    "no image": {"picture": []},
    "no JSON": "{image: 5",
}


def compare(port: int) -> float:
    """The largest difference between the service and the model, of ten digits."""
    worst = 0.0
    for index in test[:10]:
        status, answer = ask(port, body_of(index))
        assert status == 200
        with torch.inference_mode():
            worst = max(worst, (torch.tensor(answer["probability"]) - model(x[index][None])[0]).abs().max().item())
    return worst


with served(fast) as port:
    difference = compare(port)
    print(f"FastAPI: differs from the model by {difference:.1g}")
    for name, body in BAD.items():
        status, answer = ask(port, body)
        detail = answer["detail"][0]
        print(f"  {name:<18} {status}: {'.'.join(map(str, detail['loc']))}: {detail['msg']}")
        assert status == 422
assert difference < 1e-5

# %% [markdown]
# The difference is 0 or next to it: JSON writes a float with as many digits as it needs to be read back exactly. If you
# round to four digits for beauty, you can no longer test for equality.
#
# ## Flask
#
# The older way, and the one that many existing services use. It checks nothing by itself; the same schema does. It is a
# WSGI app: one request, one thread from beginning to end. `make_server` is for tests; a real service puts gunicorn or
# waitress there.

# %%
plain = flask.Flask("digits")


@plain.post("/predict")
def predict_plainly() -> tuple[dict[str, Any], int]:
    try:
        digit = Digit.model_validate_json(flask.request.get_data())
    except ValidationError as error:
        return {"detail": error.errors(include_url=False, include_input=False, include_context=False)}, 422
    return reply(probabilities(as_tensor(digit)[None])[0]), 200


@contextlib.contextmanager
def served_plainly(app: flask.Flask) -> Iterator[int]:
    """The same for a WSGI app."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


logging.getLogger("werkzeug").setLevel(logging.ERROR)  # or it prints a line for each request
with served_plainly(plain) as port:
    difference = compare(port)
    answers = {name: ask(port, body) for name, body in BAD.items()}
    print(f"Flask: differs from the model by {difference:.1g}; bad requests get {answers['7 rows'][0]}")
assert difference < 1e-5
assert all(status == 422 and answer["detail"] for status, answer in answers.values())

# %% [markdown]
# ## Many callers: batching
#
# A forward pass of 32 images takes far less time than 32 passes of one: each layer's fixed cost is paid once. But
# callers come one by one. So let a request wait a few milliseconds for company, compute what has gathered, and hand
# each caller his own row. An answer must not depend on who was in the same batch: that is what `eval` and the equality
# test are for.


# %%
class Batcher:
    """Computes requests together: `most` rows at once, and none waits longer than `wait` seconds for others."""

    def __init__(self, compute: Callable[[Tensor], list[list[float]]], most: int = 32, wait: float = 0.005):
        self.compute, self.most, self.wait = compute, most, wait
        self.queue: asyncio.Queue[tuple[Tensor, asyncio.Future[list[float]]]] = asyncio.Queue()

    async def ask(self, image: Tensor) -> list[float]:
        future: asyncio.Future[list[float]] = asyncio.get_running_loop().create_future()
        await self.queue.put((image, future))
        return await future

    async def work(self) -> None:
        """Runs for ever; one batch after another, each in a thread, so that requests are received meanwhile."""
        while True:
            batch = [await self.queue.get()]
            await asyncio.sleep(self.wait)
            while len(batch) < self.most and not self.queue.empty():
                batch.append(self.queue.get_nowait())
            try:
                rows = await asyncio.to_thread(self.compute, torch.stack([image for image, _ in batch]))
            except Exception as error:  # or all of them would wait for ever
                for _, future in batch:
                    future.set_exception(error)
                continue
            for (_, future), row in zip(batch, rows, strict=True):
                if not future.done():  # a caller may have gone away
                    future.set_result(row)


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """A batcher works from the start of the app to its end."""
    app.state.batcher = Batcher(probabilities)
    worker = asyncio.create_task(app.state.batcher.work())
    yield
    worker.cancel()


together = FastAPI(lifespan=lifespan)


@together.post("/predict")
async def predict_together(digit: Digit) -> dict[str, Any]:
    return reply(await together.state.batcher.ask(as_tensor(digit)))


def rush(port: int, callers: int = 16) -> tuple[np.ndarray, list[int]]:
    """Seconds of each request, as so many callers see it, and the rows of each forward pass."""
    passes.clear()

    def one(number: int) -> float:
        begin = time.perf_counter()
        status, answer = ask(port, body_of(test[number]))
        seconds = time.perf_counter() - begin
        assert status == 200
        assert np.allclose(answer["probability"], alone[number], atol=1e-5)  # whoever else was in the batch
        return seconds

    with ThreadPoolExecutor(callers) as pool:
        return np.array(list(pool.map(one, range(len(alone))))), list(passes)


alone = [probabilities(x[index][None])[0] for index in test[:96]]
rushes = {}
for name, app in (("one by one", fast), ("together", together)):
    with served(app) as port:
        rushes[name] = seconds, rows = rush(port)
    p50, p99 = np.percentile(seconds, [50, 99]) * 1000
    print(f"{name:<11} 96 requests of 16 callers: {len(rows)} passes, p50 {p50:.0f} ms, p99 {p99:.0f} ms")
assert rushes["one by one"][1] == [1] * 96
assert sum(rushes["together"][1]) == 96
assert len(rushes["together"][1]) < 48

# %% [markdown]
# The answers are the same, fewer passes are needed, and the callers wait less, although each waits for company. Look at
# **p99**, the time that 99 of 100 requests stay below, and not at the mean: a page that makes 50 requests meets the
# slowest one of a hundred in two of five cases.
#
# ## The same with Torchworks
#
# What we wrote by hand is what `torchworks.serving` does for every model. The model is saved with its golden example,
# exported, and compared with the one that was trained. Then three lines serve it:

# %%
run = folder / "run"
kept = {"samples": {"image": x[test]}, "targets": {"probability": y[test]}, "labels": CLASSES}
save_model(
    run,
    trained,
    package="cnn-vision",
    recipe="digits",
    builder="cnn-vision-classifier",
    config=CONFIG,
    golden={"image": x[test[:2]]},
    **kept,
)
export(Export(run=run, out=run / "bundle", format="safetensors", name="digits", seconds=0, overwrite=True))

registry = Registry(Settings())
registry.add(ServedModel.load(run / "bundle", Settings()))
app = create_app(registry, Settings())

with served(app) as port:
    worst = 0.0
    for index in test[:10]:
        status, answer = ask(port, {"inputs": {"image": x[index][None].tolist()}}, "/v1/models/digits/predict")
        assert status == 200
        given = answer["outputs"]["probability"][0]["probabilities"]  # by class name
        with torch.inference_mode():
            wanted = model(x[index][None])[0]
        worst = max(worst, *(abs(wanted[CLASSES.index(name)].item() - value) for name, value in given.items()))
    print(f"Torchworks: differs from the model by {worst:.1g}; it says of bad requests")
    for name in ("7 rows", "a pixel of 256", "a text as a pixel"):
        image = BAD[name]["image"]
        status, answer = ask(port, {"inputs": {"image": [[image]]}}, "/v1/models/digits/predict")
        print(f"  {name:<18} {status}: {answer['error']['message']}")
        assert status == 422
assert worst < 1e-4

# %% [markdown]
# From the command line it is one: `make serve RUN=…`. What it adds to ours: limits on size, time and waiting (a full
# queue answers 429 at once, instead of letting all callers wait), image files as bodies, several versions beside each
# other, measurements for monitoring, a watch on drift, and a page to try the model on. What you write yourself today,
# you maintain at night.
#
# ## The figure
#
# Left: the share of requests that were answered within so many milliseconds; the further left a curve, the better.
# Middle: how many requests each forward pass computed. Right: how long a pass takes by its number of rows. More rows
# should cost less than as many passes of one row: that is all that batching lives on.

# %%
SIZES = (1, 2, 4, 8, 16, 32)
took = dict.fromkeys(SIZES, np.inf)
for _ in range(12):  # in turns, and the quickest counts, so that other work on the machine disturbs least
    for size in SIZES:
        begin = time.perf_counter()
        with torch.inference_mode():
            model(x[test[:size]])
        took[size] = min(took[size], 1000 * (time.perf_counter() - begin))
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4))
for (name, (seconds, _)), style in zip(rushes.items(), ("--", "-"), strict=True):
    left.plot(np.sort(seconds) * 1000, np.arange(1, len(seconds) + 1) / len(seconds), style, label=name)
left.axhline(0.99, color="gray", linestyle=":", label="p99")
left.set(xlabel="milliseconds until the answer", ylabel="share of requests", title="waiting", xlim=(0, None))
left.legend(loc="lower right")
rows = rushes["together"][1]
middle.bar(range(1, len(rows) + 1), rows, color="tab:orange")
middle.set(xlabel="forward pass", title=f"requests of a pass: {len(rows)} passes for 96")
middle.xaxis.get_major_locator().set_params(integer=True)
right.plot(SIZES, list(took.values()), "o-", label="measured")
right.plot(SIZES, [took[1] * size for size in SIZES], "--", color="gray", label="as many passes of one row")
right.set(xlabel="rows of a pass", title="milliseconds of a pass", xticks=SIZES[2:], xlim=(0, None), ylim=(0, None))
right.legend()
save_figure(figure, "serving")

# %% [markdown]
# ## What goes wrong
#
# **The model was left in training mode.** Batch norm then takes its statistics from the batch, so that your answer
# depends on whose request came at the same moment:
#
# ```python
# import torch
# from torch import nn
#
# torch.manual_seed(0)
# model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
# mine, hers, his = torch.randn(3, 1, 4)
# print(torch.allclose(model(torch.cat([mine, hers]))[0], model(torch.cat([mine, his]))[0]))
# ```
# ```text
# False
# ```
#
# ```python
# model.eval()
# assert torch.allclose(model(torch.cat([mine, hers]))[0], model(torch.cat([mine, his]))[0])
# ```
#
# **What JSON does not know.** A tensor's or an array's number is not Python's:
#
# ```python
# import json
#
# answer = model(mine)[0]
# json.dumps({"label": answer.argmax()})
# ```
# ```text
# TypeError: Object of type Tensor is not JSON serializable
# ```
#
# ```python
# json.dumps({"label": answer.argmax().item(), "scores": answer.tolist()})
# ```
#
# **NaN.** Python writes it, and no other language reads it: the service answers 200, and the caller's parser fails.
#
# ```python
# print(json.dumps({"score": float("nan")}))
# ```
# ```text
# {"score": NaN}
# ```
#
# Forbid it where the text is made, and look before: what is not finite is a fault of the model or of the input.
#
# ```python
# json.dumps({"score": float("nan")}, allow_nan=False)
# ```
# ```text
# ValueError: Out of range float values are not JSON compliant…
# ```
#
# ```python
# assert torch.isfinite(answer).all()
# json.dumps({"scores": answer.tolist()}, allow_nan=False)
# ```
#
# **The event loop is blocked.** An `async` function that computes lets nobody else in until it is done, not even the
# question whether the service is alive, so that it is restarted for being busy:
#
# ```python
# import asyncio, time
#
# done = []
#
# def compute():
#     time.sleep(0.2)  # a forward pass
#     done.append("prediction")
#
# async def predict():
#     compute()
#
# async def alive():
#     done.append("alive")
#
# async def both():
#     await asyncio.gather(predict(), alive())
#
# asyncio.run(both())
# print(done)
# ```
# ```text
# ['prediction', 'alive']
# ```
#
# ```python
# async def predict():
#     await asyncio.to_thread(compute)
#
# done.clear()
# asyncio.run(both())
# assert done == ["alive", "prediction"]
# ```
#
# **State that requests share.** What is kept on the service instead of in the function belongs to whoever wrote last.
# Here two callers write, and only then both compute:
#
# ```python
# import threading
# from concurrent.futures import ThreadPoolExecutor
#
# class Service:
#     both_have_come = threading.Barrier(2)
#
#     def predict(self, number):
#         self.number = number
#         self.both_have_come.wait()
#         return 10 * self.number
#
# with ThreadPoolExecutor(2) as pool:
#     print(len(set(pool.map(Service().predict, [1, 2]))))
# ```
# ```text
# 1
# ```
#
# ```python
# class Careful(Service):
#     def predict(self, number):
#         self.both_have_come.wait()
#         return 10 * number
#
# with ThreadPoolExecutor(2) as pool:
#     assert list(pool.map(Careful().predict, [1, 2])) == [10, 20]
# ```
#
# **Nobody checks the input.** A wrong input gets an answer that looks like any other. And a check may be more lenient
# than you think: unless you forbid it, pydantic makes a number of a text, and drops fields that it does not know.
#
# ```python
# from pydantic import BaseModel, ConfigDict
#
# class Lenient(BaseModel):
#     pixel: int
#
# print(Lenient(pixel="255", size=9))
# ```
# ```text
# pixel=255
# ```
#
# ```python
# from pydantic import ValidationError
#
# class Strict(Lenient):
#     model_config = ConfigDict(strict=True, extra="forbid")
#
# try:
#     Strict(pixel="255", size=9)
# except ValidationError as error:
#     assert error.error_count() == 2  # a text, and a field that nobody knows
# ```
#
# ## Exercises
#
# In `lessons/answers/serving.py`; check them with `make check-lesson NAME=serving`.
#
# 1. `read_image`: from the body of a request to a tensor, or a mistake that names what is wrong.
# 2. `answer`: as a service must call a model, in batches of a limited size.
# 3. `next_batch`: which waiting requests are computed together.
#
# ## Where this lives
#
# - [`serving/batching.py`](../../packages/serving/src/torchworks/serving/batching.py): the batcher of the packages,
#   with deadlines, a limited queue, and rows that fail alone.
# - [`serving/errors.py`](../../packages/serving/src/torchworks/serving/errors.py): what callers are told, and what only
#   the log is.
# - [`shared/models/predictor.py`](../../shared/src/torchworks/shared/models/predictor.py) saves a model with its golden
#   example; [`serving/engine.py`](../../packages/serving/src/torchworks/serving/engine.py) replays it at every start.
# - [README.md](../../packages/serving/README.md) of serving: requests for images, texts, sounds, tables and jobs.
