"""The codes of findings: title, effect and fix of each."""

from typing import NamedTuple


class Entry(NamedTuple):
    """Defaults of the findings of one code."""

    title: str
    effect: str
    fix: str


CATALOGUE = {
    "D01": Entry(
        "the copy bug: the targets equal the decoder's inputs",
        "the model learns to copy its input: the loss falls to zero, and decoding is random",
        "decoder_input, decoder_target = target_ids[:, :-1], target_ids[:, 1:]",
    ),
    "D02": Entry(
        "the targets are shifted by the wrong amount",
        "the model learns to predict another symbol than the next one; decoding feeds it the next one",
        "decoder_input, decoder_target = target_ids[:, :-1], target_ids[:, 1:]",
    ),
    "D03": Entry(
        "START or END is missing",
        "without START the first symbol comes from an input never seen in training; without END decoding never stops",
        "rows = [[START, *row, END] for row in target_rows]  # then pad, then shift",
    ),
    "D04": Entry(
        "padding is scored as if it were text",
        "loss and accuracy are mostly those of padding, which is easy to predict: they look good too early",
        "model.fit(x, y, sample_weight=real)  # real: (rows, time), 1 on text and END, 0 on padding",
    ),
    "D05": Entry(
        "the source is ignored",
        "the outputs are plausible text that has nothing to do with the input",
        "decoder_outputs, *_ = decoder_rnn(decoder_inputs, initial_state=encoder_states)",
    ),
    "D06": Entry(
        "good when teacher-forced, bad when free-running",
        "training looks finished and decoding is wrong from an early step on",
        "decoder_input, decoder_target = target_ids[:, :-1], target_ids[:, 1:]  # and a causal decoder",
    ),
    "D07": Entry(
        "the inference models do not compute what was trained",
        "decoding uses weights or states that were never trained",
        "call the layer objects of the training model again, in the same order: decoder_rnn(x, initial_state=[h, c])",
    ),
    "D08": Entry(
        "results depend on padding or on the batch",
        "a sentence decodes differently alone, in a batch, or beside a longer one",
        "mask the padding: keras.layers.Masking(), or mask_zero=True in the Embedding where padding is id 0",
    ),
    "D09": Entry(
        "loss or metrics are averaged over padding",
        "the printed figures are better than the model and change with the length of the padding",
        "model.compile(..., weighted_metrics=['accuracy'])\n"
        "model.fit(x, y, sample_weight=real * real.size / real.sum())  # real: 1 on text, 0 on padding",
    ),
    "D10": Entry(
        "ids are fed as magnitudes",
        "for the model, symbol 40 is twice symbol 20; it learns slowly and confuses symbols with close ids",
        "keras.layers.Embedding(vocabulary_size, 64)(ids)  # or keras.utils.to_categorical(ids)",
    ),
    "D11": Entry(
        "ids and vocabulary do not fit together",
        "ids stand for the wrong symbols, or for none",
        "index = {symbol: i for i, symbol in enumerate(sorted(symbols))}  # save it with the model",
    ),
    "D12": Entry(
        "the validation part is not a fair sample",
        "validation scores do not measure how well the model works on new sentences",
        "order = np.random.default_rng(1).permutation(len(x))  # better: shuffle distinct sources, then split these",
    ),
    "D13": Entry(
        "the output layer and the loss disagree about softmax",
        "the loss is computed from the wrong numbers: it stays high, or gradients vanish",
        "keras.layers.Dense(size) with loss=...Crossentropy(from_logits=True), or activation='softmax' without it",
    ),
    "D14": Entry(
        "greedy decoding runs in circles",
        "outputs repeat the same few symbols until the length limit",
        "first fix the other findings; then sample with a temperature, or use beam search",
    ),
    "D15": Entry(
        "one-hot arrays take many times the memory of ids",
        "large data sets do not fit into memory, and copying batches is slow",
        "ids with keras.layers.Embedding(size, width) and loss='sparse_categorical_crossentropy'",
    ),
    "D16": Entry(
        "stateful layers begin with the states of other rows: the same rows predicted twice differ",
        "results depend on what was predicted before; the model takes one batch size only",
        "model = build(stateful=False); model.set_weights(trained.get_weights())  # same layers, Input((None, ...))\n"
        "# or keep it for rows that follow those of the batch before: fit(shuffle=False); reset_state() between texts",
    ),
}
