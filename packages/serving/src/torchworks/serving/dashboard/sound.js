// The form for a sound: a file, an example, or what the microphone hears, but only while its button is pressed down in
// the page. Above it the sound's curve and a player. Answers that are sound have a player and a link.

import { modelPath } from "./api.js";
import { el, hint } from "./dom.js";

const SENT = ["audio/wav", "audio/x-wav", "audio/flac", "audio/x-flac"];
const ENDINGS = { wav: "audio/wav", wave: "audio/wav", flac: "audio/flac" };
const LONGEST = 15; // seconds that are recorded at most
const WIDTH = 600, HEIGHT = 80;

// `example` is a WAV file in base64. `acceptDrops` is that of the other forms.
export function soundInput(model, spec, options, example, { send, refuse }, acceptDrops) {
  let chosen = null, recorder = null;
  const curve = el("canvas", { width: WIDTH, height: HEIGHT, class: "wave", role: "img", "aria-label": "the sound's curve", hidden: true });
  const player = el("audio", { controls: true, hidden: true });
  const choose = el("input", { type: "file", accept: "audio/*,.wav,.flac", onchange: () => choose.files[0] && take(choose.files[0]) });
  const record = el("button", { type: "button", onclick: () => (recorder ? recorder.stop() : listen()) }, "Record");
  const canRecord = Boolean(navigator.mediaDevices?.getUserMedia && window.MediaRecorder);

  async function take(file) {
    const type = SENT.includes(file.type) ? file.type : ENDINGS[file.name?.split(".").pop().toLowerCase()];
    const samples = await decoded(file, spec.rate).catch(() => null);
    if (!type && !samples) return refuse("This is no sound that the browser can read. Choose a WAV or FLAC file.");
    chosen = type ? { body: file, type } : { body: wav(samples, spec.rate), type: "audio/wav" };
    show(file, samples);
    return send();
  }
  function show(file, samples) {
    URL.revokeObjectURL(player.src);
    player.src = URL.createObjectURL(file);
    player.hidden = false;
    curve.hidden = !samples;
    if (samples) draw(curve, samples);
  }
  async function listen() {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true }).catch(() => null);
    if (!stream) return refuse("The microphone may not be used. Allow it for this page, or choose a file.");
    const parts = [];
    recorder = new MediaRecorder(stream);
    recorder.ondataavailable = ({ data }) => parts.push(data);
    recorder.onstop = () => {
      stream.getTracks().forEach((track) => track.stop());
      recorder = null;
      record.textContent = "Record";
      take(new Blob(parts, { type: parts[0]?.type }));
    };
    recorder.start();
    record.textContent = "Stop";
    setTimeout(() => recorder?.stop(), 1000 * LONGEST);
    return null;
  }
  const takeExample = () => {
    choose.value = "";
    take(new Blob([bytesOf(example)], { type: "audio/wav" }));
  };
  const place = el("div", { class: "drop" }, el("div", { class: "controls" },
    curve, player,
    el("div", { class: "row" }, el("button", { type: "button", onclick: takeExample }, "Use an example"), canRecord ? record : null),
    el("label", {}, "Choose a sound ", choose), options.row,
    hint(`WAV or FLAC, or what this browser can play. Or drop a file here.${canRecord ? " Nothing is recorded before you ask for it." : ""}`)));
  acceptDrops(place, (dropped) => {
    choose.value = "";
    if (dropped) take(dropped);
    else refuse("What was dropped is no file. Save the sound first, then drop or choose its file.");
  });
  const request = async () => {
    if (!chosen) throw new Error("Choose a sound first.");
    const path = `${modelPath(model.name)}/predict`, given = options.values();
    if (!Object.keys(given).length) return { path, method: "POST", ...chosen };
    const body = new FormData();
    body.append(spec.name, new Blob([chosen.body], { type: chosen.type }), "sound");
    for (const [name, value] of Object.entries(given)) body.append(name, JSON.stringify(value));
    return { path, method: "POST", body };
  };
  return { elements: [place], request };
}

// Players for sounds in base64, each with a link to its file.
export function players(name, rows) {
  return el("div", { class: "sounds" }, rows.map((row, i) => {
    const file = new Blob([bytesOf(row)], { type: "audio/wav" }), address = URL.createObjectURL(file);
    const curve = el("canvas", { width: WIDTH, height: HEIGHT, class: "wave", role: "img", "aria-label": `${name} ${i + 1} of ${rows.length}` });
    decoded(file).then((samples) => draw(curve, samples)).catch(() => { curve.hidden = true; });
    const title = rows.length > 1 ? `${name} ${i + 1}` : name;
    return el("div", {}, curve, el("audio", { controls: true, src: address, "aria-label": title }),
      el("p", {}, el("a", { href: address, download: `${title.replaceAll(" ", "-")}.wav` }, "Download")));
  }));
}

const bytesOf = (base64) => Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));

// Samples of one channel at a rate, or at the browser's.
async function decoded(file, rate = 16000) {
  const context = new OfflineAudioContext(1, 1, rate);
  const buffer = await context.decodeAudioData(await file.arrayBuffer());
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, i) => buffer.getChannelData(i));
  return channels[0].map((_, i) => channels.reduce((sum, channel) => sum + channel[i], 0) / channels.length);
}

// A WAV file of 16 bits.
function wav(samples, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (place, letters) => [...letters].forEach((letter, i) => view.setUint8(place + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  [1, 1].forEach((value, i) => view.setUint16(20 + 2 * i, value, true));
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  [2, 16].forEach((value, i) => view.setUint16(32 + 2 * i, value, true));
  text(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((value, i) => view.setInt16(44 + 2 * i, Math.round(32767 * Math.max(-1, Math.min(1, value))), true));
  return new Blob([view], { type: "audio/wav" });
}

// The lowest and the highest sample of each pixel's time.
function draw(canvas, samples) {
  const context = canvas.getContext("2d"), step = samples.length / WIDTH;
  context.clearRect(0, 0, WIDTH, HEIGHT);
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--accent");
  for (let x = 0; x < WIDTH; x++) {
    let low = 1, high = -1;
    for (let i = Math.floor(x * step); i < Math.max((x + 1) * step, x * step + 1) && i < samples.length; i++) {
      low = Math.min(low, samples[i]);
      high = Math.max(high, samples[i]);
    }
    const top = (1 - high) * HEIGHT / 2, bottom = (1 - low) * HEIGHT / 2;
    context.fillRect(x, Math.min(top, HEIGHT - 1), 1, Math.max(1, bottom - top));
  }
}
