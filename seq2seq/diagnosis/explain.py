"""The full story of each code: what happens, how the doctor sees it, and a minimal example."""

from typing import NamedTuple

from seq2seq.diagnosis.catalogue import CATALOGUE


class Story(NamedTuple):
    """What `--explain` adds to the catalogue."""

    story: str
    wrong: str
    right: str


STORIES = {
    "D01": Story(
        "In training, the decoder is fed the target and must say, at each step, the symbol that comes next.\n"
        "If what it must say is what it is being fed, it learns to repeat its input. That is easy: the loss\n"
        "falls to nothing, also on validation data. In decoding there is nothing to repeat but START, so it\n"
        "says START for ever, or noise. The doctor compares inputs and targets at shifts from -3 to 3, and\n"
        "with other rows' targets for chance.",
        "decoder_input  = [START, a, b, END]\ndecoder_target = [START, a, b, END]",
        "decoder_input  = [START, a, b]\ndecoder_target = [a, b, END]",
    ),
    "D02": Story(
        "Targets must lead the decoder's inputs by one step. Two steps, and the model skips every other\n"
        "symbol when it runs free; to the other side, and it learns to say the symbol before. One slice too\n"
        "many is the usual reason.",
        "decoder_input, decoder_target = ids[:, :-2], ids[:, 2:]",
        "decoder_input, decoder_target = ids[:, :-1], ids[:, 1:]",
    ),
    "D03": Story(
        "Decoding begins with START and stops at END. A decoder that never read START does not know how to\n"
        "begin; one that never had to say END goes on to the length limit. END is also lost where long rows\n"
        "are cut. START and END may be the same symbol. If all targets have one length, END may be left out.",
        "row = [a, b, c, d][:width]",
        "row = [START, *[a, b, c, d][: width - 2], END]",
    ),
    "D04": Story(
        "Short rows are filled up. If the filling is a symbol like any other, the model is asked to predict\n"
        "it, which it learns in minutes: with two thirds of the positions filling, accuracy is over 60 %\n"
        "before a word is known. The doctor compares the reported loss and accuracy with those of the real\n"
        "positions, and tries whether other predictions on padding change the loss. The well-known one-hot\n"
        "tutorial fills with spaces and has this.",
        "decoder_target[i, len(text):, index[' ']] = 1.0\nmodel.fit(x, decoder_target)",
        "model.fit(x, decoder_target, sample_weight=real)  # 0 on padding; or leave the rows zero, or mask_zero=True",
    ),
    "D05": Story(
        "If exchanging the sources of rows changes nothing, the encoder could as well be left out. Complete:\n"
        "nothing leads from the source to the output, such as a decoder called without the encoder's states,\n"
        "or all sources are the same. Partial: the model was trained on sources in another order than the\n"
        "targets, or learns the target language first; more training tells these apart.",
        "outputs, _, _ = decoder_lstm(decoder_inputs)",
        "outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=[state_h, state_c])",
    ),
    "D06": Story(
        "Fed the right symbols, a decoder that looks back only says the same as when it runs free, until its\n"
        "first mistake. If it runs free much worse than that, something in training is not there in decoding:\n"
        "the answer itself (D01, or a decoder that reads later inputs), or the weights (D07).",
        "decoder = keras.layers.Bidirectional(keras.layers.LSTM(256, return_sequences=True))",
        "decoder = keras.layers.LSTM(256, return_sequences=True)  # self-attention: use_causal_mask=True",
    ),
    "D07": Story(
        "The tutorials build new models for decoding. These must call the very layers that were trained. A\n"
        "layer that is made anew has fresh weights; layers picked by number are others after any change;\n"
        "states handed over as c, h are read as h, c. The doctor looks for each weight in the training model,\n"
        "and feeds both step by step.",
        "decoder_lstm = keras.layers.LSTM(256, return_sequences=True, return_state=True)  # again, for inference",
        "outputs, h, c = decoder_lstm(decoder_inputs, initial_state=[h_input, c_input])  # the trained one",
    ),
    "D08": Story(
        "An encoder that runs on over padding ends in another state for each width. A layer that uses the\n"
        "batch's statistics, or keeps its state, depends on the other rows. The doctor gives each row its own\n"
        "width, and alone.",
        "keras.layers.Embedding(size, 64)  # then LSTM: reads the zeros too",
        "keras.layers.Embedding(size, 64, mask_zero=True)",
    ),
    "D09": Story(
        "A loss that is 0 on padding but divided by all positions is too small by the share of the text, and\n"
        "changes with the width of the batch. `metrics=` ignores sample weights; `weighted_metrics=` does\n"
        "not.",
        "return keras.ops.mean(nats * real)",
        "return keras.ops.sum(nats * real) / keras.ops.sum(real)",
    ),
    "D10": Story(
        "An id is a name, not a quantity. Divided by the size of the vocabulary it is still a quantity: 'b'\n"
        "lies between 'a' and 'c'. Recurrent layers can work with that, badly. Embed the ids, or make them\n"
        "one-hot.",
        "x = ids[..., None] / float(size)",
        "x = keras.layers.Embedding(size, 64)(ids)",
    ),
    "D11": Story(
        "Ids mean something only with their vocabulary. A vocabulary made from a set has another order in\n"
        "each run; two vocabularies number the same symbols differently; an id beyond the embedding is an\n"
        "error on a CPU and zeros on a GPU. The doctor looks for a one-to-one renumbering of inputs to\n"
        "targets at the right shift.",
        "index = {c: i for i, c in enumerate(set(text))}",
        "index = {c: i for i, c in enumerate(sorted(set(text)))}  # and save it with the model",
    ),
    "D12": Story(
        "`validation_split` takes the last rows. Of a file that is sorted by length these are the longest, of\n"
        "a kind that training never saw. And if a source occurs with several translations, a split by rows\n"
        "has it on both sides.",
        "model.fit(x, y, validation_split=0.2)",
        "sources = sorted(set(source for source, _ in pairs)); shuffle these, split these",
    ),
    "D13": Story(
        "Softmax once: in the model, or in the loss. Twice, and no probability can exceed e / (e + V - 1);\n"
        "never, and the loss takes the logarithm of logits. The doctor looks at the sums of output rows and\n"
        "tries the loss.",
        "Dense(size, activation='softmax') with CategoricalCrossentropy(from_logits=True)",
        "Dense(size) with CategoricalCrossentropy(from_logits=True)",
    ),
    "D14": Story(
        "Greedy decoding always takes the likeliest symbol, and can come back to where it was. Small language\n"
        "models do that by nature. In a translator it is a symptom: of the copy bug, of an ignored source, of\n"
        "fresh weights.",
        "token = probabilities.argmax()",
        "token = generator.choice(len(probabilities), p=probabilities)  # or beam search",
    ),
    "D15": Story(
        "One-hot rows hold one number that matters and V - 1 zeros. The full English-French set of the\n"
        "tutorial would need tens of gigabytes. An embedding computes the same product without the zeros.",
        "x = np.zeros((rows, time, size), dtype='float32')",
        "x = np.zeros((rows, time), dtype='int32')  # and loss='sparse_categorical_crossentropy'",
    ),
    "D16": Story(
        "A stateful layer starts each batch with the states that the batch before left. That is right only\n"
        "if row i of each batch continues row i of the batch before, and the states are reset between texts.\n"
        "With shuffled rows, or pairs, the layer reads the end of an unrelated row first. The doctor predicts\n"
        "the same rows twice, with and without a reset, and examines whether rows continue.",
        "layer = keras.layers.GRU(256, return_sequences=True, stateful=True)  # fit shuffles the rows",
        "layer = keras.layers.GRU(256, return_sequences=True)  # the weights of the trained model still fit",
    ),
}


def explain(code: str) -> str:
    """Writes the story of a code, D01 to D16, with what is wrong and what is right."""
    entry, story = CATALOGUE[code], STORIES[code]
    parts = [f"{code}: {entry.title}", story.story, f"Effect: {entry.effect}."]
    parts += [f"Wrong:\n{indented(story.wrong)}", f"Right:\n{indented(story.right)}", f"Fix:\n{indented(entry.fix)}"]
    return "\n\n".join(parts)


def indented(text: str) -> str:
    """Moves lines four columns in."""
    return "\n".join("    " + line for line in text.splitlines())
