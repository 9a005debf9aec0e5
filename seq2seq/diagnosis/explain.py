"""The explanation of each code: what happens, how the doctor finds it, and a minimal example."""

from typing import NamedTuple

from seq2seq.diagnosis.catalogue import CATALOGUE


class Explanation(NamedTuple):
    """The text that `--explain` adds to the catalogue."""

    text: str
    wrong: str
    right: str


EXPLANATIONS = {
    "D01": Explanation(
        "In training, the decoder reads the target and must predict, at each step, the next symbol. If the\n"
        "symbol to predict equals the symbol it reads, it learns to repeat its input. That is easy: the loss\n"
        "falls to zero, also on validation data. In decoding it can only repeat START, so it writes START for\n"
        "ever, or noise. The doctor compares inputs and targets at all shifts, and with the targets of other\n"
        "rows to know the agreement by chance.",
        "decoder_input  = [START, a, b, END]\ndecoder_target = [START, a, b, END]",
        "decoder_input  = [START, a, b]\ndecoder_target = [a, b, END]",
    ),
    "D02": Explanation(
        "Targets must be one step ahead of the decoder's inputs. If they are two steps ahead, the free-running\n"
        "model skips every other symbol; if they are behind, it learns to predict the previous symbol. The\n"
        "usual cause is one slice too many.",
        "decoder_input, decoder_target = ids[:, :-2], ids[:, 2:]",
        "decoder_input, decoder_target = ids[:, :-1], ids[:, 1:]",
    ),
    "D03": Explanation(
        "Decoding begins with START and stops at END. A decoder that never read START does not know how to\n"
        "begin; one that never had to predict END continues to the length limit. END is also lost where long\n"
        "rows are cut. START and END may be the same symbol. If all targets have one length, END is not needed.",
        "row = [a, b, c, d][:width]",
        "row = [START, *[a, b, c, d][: width - 2], END]",
    ),
    "D04": Explanation(
        "Short rows are padded. If the loss counts padding like any symbol, the model learns it in minutes:\n"
        "with two thirds of the positions padding, accuracy is over 60 % before a word is learnt. The doctor\n"
        "compares the reported loss and accuracy with those of the real positions, and tests whether other\n"
        "predictions on padding change the loss. The well-known one-hot tutorial pads with spaces and has\n"
        "this defect.",
        "decoder_target[i, len(text):, index[' ']] = 1.0\nmodel.fit(x, decoder_target)",
        "model.fit(x, decoder_target, sample_weight=real)  # 0 on padding; or leave the rows zero, or mask_zero=True",
    ),
    "D05": Explanation(
        "If the outputs stay the same when rows exchange their sources, the model does not use the source.\n"
        "Completely unused: no path leads from the source to the output, such as in a decoder that is called\n"
        "without the encoder's states, or all sources are the same. Hardly used: sources and targets are in\n"
        "different orders, or the model has learnt only the target language so far; more training shows which.",
        "outputs, _, _ = decoder_lstm(decoder_inputs)",
        "outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=[state_h, state_c])",
    ),
    "D06": Explanation(
        "Until its first mistake, a causal decoder predicts the same when teacher-forced and when free-running.\n"
        "If free running is much worse, decoding lacks something that training had: the answer itself (D01, or\n"
        "a decoder that reads later inputs), or the trained weights (D07).",
        "decoder = keras.layers.Bidirectional(keras.layers.LSTM(256, return_sequences=True))",
        "decoder = keras.layers.LSTM(256, return_sequences=True)  # self-attention: use_causal_mask=True",
    ),
    "D07": Explanation(
        "The tutorials build new models for decoding. These must call the same layer objects that were\n"
        "trained. A new layer has untrained weights; layers picked by number change with any edit of the\n"
        "model; states in the order c, h are read as h, c. The doctor searches for each weight in the training\n"
        "model, and runs both models step by step.",
        "decoder_lstm = keras.layers.LSTM(256, return_sequences=True, return_state=True)  # again, for inference",
        "outputs, h, c = decoder_lstm(decoder_inputs, initial_state=[h_input, c_input])  # the trained one",
    ),
    "D08": Explanation(
        "An encoder that reads padding ends in a different state for each width. A layer that uses the batch's\n"
        "statistics, or keeps its state, depends on the other rows. The doctor runs each row without padding,\n"
        "and alone.",
        "keras.layers.Embedding(size, 64)  # then LSTM: reads the zeros too",
        "keras.layers.Embedding(size, 64, mask_zero=True)",
    ),
    "D09": Explanation(
        "A loss that is 0 on padding but divided by all positions is too small, and changes with the width of\n"
        "the batch. `metrics=` ignores sample weights; `weighted_metrics=` does not.",
        "return keras.ops.mean(nats * real)",
        "return keras.ops.sum(nats * real) / keras.ops.sum(real)",
    ),
    "D10": Explanation(
        "An id is a name, not a quantity. Divided by the size of the vocabulary it is still a quantity: 'b'\n"
        "lies between 'a' and 'c'. Recurrent layers learn from it slowly. Embed the ids, or make them one-hot.",
        "x = ids[..., None] / float(size)",
        "x = keras.layers.Embedding(size, 64)(ids)",
    ),
    "D11": Explanation(
        "Ids have a meaning only with their vocabulary. A vocabulary made from a set has another order in each\n"
        "run; two vocabularies number the same symbols differently; an id beyond the embedding is an error on a\n"
        "CPU and zeros on a GPU. The doctor compares ids with the sizes of vocabularies and embeddings, and\n"
        "searches for a one-to-one renumbering of inputs to targets.",
        "index = {c: i for i, c in enumerate(set(text))}",
        "index = {c: i for i, c in enumerate(sorted(set(text)))}  # and save it with the model",
    ),
    "D12": Explanation(
        "`validation_split` takes the last rows. In a file that is sorted by length these are the longest, and\n"
        "training never saw such lengths. If a source has several translations, a split by rows puts it into\n"
        "both parts.",
        "model.fit(x, y, validation_split=0.2)",
        "sources = sorted(set(source for source, _ in pairs)); shuffle these, split these",
    ),
    "D13": Explanation(
        "Softmax must be applied once: in the model, or in the loss. If it is applied twice, no probability can\n"
        "exceed e / (e + V - 1); if never, the loss takes the logarithm of logits. The doctor checks the sums\n"
        "of output rows and tests the loss.",
        "Dense(size, activation='softmax') with CategoricalCrossentropy(from_logits=True)",
        "Dense(size) with CategoricalCrossentropy(from_logits=True)",
    ),
    "D14": Explanation(
        "Greedy decoding always takes the most probable symbol, and can return to an earlier state. Small\n"
        "language models often do. In a translator it is a symptom: of the copy bug, of an ignored source, of\n"
        "untrained weights.",
        "token = probabilities.argmax()",
        "token = generator.choice(len(probabilities), p=probabilities)  # or beam search",
    ),
    "D15": Explanation(
        "A one-hot vector holds a single 1 and V - 1 zeros. The full English-French set of the tutorial needs\n"
        "tens of gigabytes. An embedding computes the same product without the zeros.",
        "x = np.zeros((rows, time, size), dtype='float32')",
        "x = np.zeros((rows, time), dtype='int32')  # and loss='sparse_categorical_crossentropy'",
    ),
    "D16": Explanation(
        "A stateful layer starts each batch with the states that the batch before left. That is right only\n"
        "if row i of each batch continues row i of the batch before, and the states are reset between texts.\n"
        "With shuffled rows, or pairs, the layer reads the end of an unrelated row first. The doctor predicts\n"
        "the same rows twice, with and without a reset, and examines whether rows continue.",
        "layer = keras.layers.GRU(256, return_sequences=True, stateful=True)  # fit shuffles the rows",
        "layer = keras.layers.GRU(256, return_sequences=True)  # the weights of the trained model still fit",
    ),
}


def explain(code: str) -> str:
    """Returns the explanation of a code, D01 to D16, with a wrong and a right example."""
    entry, explanation = CATALOGUE[code], EXPLANATIONS[code]
    parts = [f"{code}: {entry.title}", explanation.text, f"Effect: {entry.effect}."]
    parts += [
        f"Wrong:\n{indented(explanation.wrong)}",
        f"Right:\n{indented(explanation.right)}",
        f"Fix:\n{indented(entry.fix)}",
    ]
    return "\n\n".join(parts)


def indented(text: str) -> str:
    """Indents lines by four columns."""
    return "\n".join("    " + line for line in text.splitlines())
