// The page's words in English and Chinese. {name} stands for a value.

const WORDS = {
  en: {
    skip: "Skip to the content", model: "Model", views: "Views",
    "theme-auto": "Theme: automatic", "theme-dark": "Theme: dark", "theme-light": "Theme: light",
    translate: "Translate", compare: "Compare", write: "Write", runs: "Training", doctor: "Doctor",
    source: "Source text", output: "Output", example: "Type here…",
    try: "Try", outputHere: "The output appears here while you type.", atStart: "At the beginning",
    translator: "Translators", transducer: "Transducers", "language model": "Language models",
    compareHint: "One source, decoded in several ways: the most probable symbol each time, a beam with its tree, and samples at the temperatures above.",
    promptHint: "The text begins with this; it may be empty.", nats: "{score} nats",
    allNew: "No long passage of this text stands in the training text.",
    doctorHint: "The doctor examines the arrays, models and vocabularies of a training, and names the mistakes that it finds.",
    symbols: "{count} symbols", score: "log-probability {score} nats, {time} ms",
    "cut-off": "The output is not finished: it reached the largest length.",
    hint: "Each symbol is coloured by its probability: the stronger the colour, the less certain. Choose a symbol to see the alternatives; choose an alternative to force it.",
    alternatives: "Symbol {place}: {symbol}, probability {probability}", force: "Write {symbol} here, probability {probability}",
    release: "Undo the forced symbols", forced: "forced", close: "Close",
    attention: "Attention: where the decoder looked", attentionHint: "One row for each output symbol, one column for each source symbol. The stronger the colour of a cell, the larger its weight.",
    actions: "Edit path", actionsHint: "One row for each edit action, one column for each source symbol: the position that the decoder reads.",
    noMap: "This model has no attention, so there is no map.",
    copy: "copy", delete: "delete", substitute: "substitute", insert: "insert", end: "end",
    distribution: "Distribution of the next symbol", after: "After “{text}”", temperature: "Temperature",
    temperatureHint: "Sampling draws from p^(1/T) / Z. A low temperature is conservative, a high one is surprising; 1 leaves the model's own probabilities, which the vertical lines mark.",
    bar: "{symbol}: {probability}", others: "+ {count}",
    greedy: "Greedy", beam: "Beam {size}", sampled: "Temperature {temperature}", beamSize: "Beam size", seed: "Seed",
    temperatures: "Temperatures", tree: "The beam's tree",
    treeHint: "Each row is a step. Solid lines were kept, dashed ones pruned; the thick one is the result. The number beside a symbol is its sum of log-probabilities in nats.",
    prompt: "Prompt", length: "Length in symbols", start: "Write", stop: "Stop", written: "Text",
    novelty: "Marked text stands in the training text, word for word.", noNovelty: "The training text is not at hand, so quotations are not marked.",
    needLanguage: "The service has no language model. Start it with one, such as: seq2seq serve --model prose", needTranslator: "The service has no translator. Start it with one, such as: seq2seq serve --model dates",
    noModels: "The service has no model.", noRuns: "There is no run yet. A training is shown here from its start on.", noEpoch: "No checkpoint is written yet; the curves begin with the first one.", run: "Run", unfinished: "in training", finished: "finished",
    loss: "Loss (nats per symbol)", train: "training", validation: "validation", scores: "Scores", samples: "Samples", epoch: "Epoch", table: "Figures of each epoch",
    chrf: "chrF", exact: "exact match (%)",
    drop: "Drop .npz, .keras, .h5 or vocabulary .json files here, or choose them.", examine: "Choose files", examining: "Examining {files}…",
    broken: "broken", suspicious: "suspicious", note: "note", sound: "Nothing broken was found.", effect: "Effect", fix: "Fix", because: "follows from {code}",
    inferred: "Inferred", notExamined: "Not examined", evidence: "Evidence",
    failed: "The service does not answer: {reason}", apiKey: "API key", useKey: "Use this key", translated: "Output: {text}",
    needKey: "The service asks for an API key.", wrongKey: "This API key is not valid; enter another one.",
    rows: "step",
  },
  zh: {
    skip: "跳到正文", model: "模型", views: "视图",
    "theme-auto": "主题：自动", "theme-dark": "主题：深色", "theme-light": "主题：浅色",
    translate: "翻译", compare: "比较", write: "写作", runs: "训练", doctor: "诊断",
    source: "源文本", output: "输出", example: "在此输入……",
    try: "试试", outputHere: "输入时，输出显示在这里。", atStart: "在开头",
    translator: "翻译模型", transducer: "转导模型", "language model": "语言模型",
    compareHint: "同一个源文本，以几种方式解码：每次取概率最大的符号、束搜索及其树、按上面各温度采样。",
    promptHint: "文本以此开头；可以留空。", nats: "{score} 纳特",
    allNew: "此文本中没有与训练文本相同的长片段。",
    doctorHint: "诊断检查一次训练的数组、模型和词表，并指出所发现的错误。",
    symbols: "{count} 个符号", score: "对数概率 {score} 纳特，{time} 毫秒",
    "cut-off": "输出没有结束：已达到最大长度。",
    hint: "每个符号按概率着色：颜色越浓，越不确定。选中一个符号可查看候选；选中一个候选即可强制使用它。",
    alternatives: "第 {place} 个符号：{symbol}，概率 {probability}", force: "在此写 {symbol}，概率 {probability}",
    release: "撤销强制的符号", forced: "强制", close: "关闭",
    attention: "注意力：解码器看向哪里", attentionHint: "每行是一个输出符号，每列是一个源符号。格子颜色越浓，权重越大。",
    actions: "编辑路径", actionsHint: "每行是一个编辑动作，每列是一个源符号：解码器所读的位置。",
    noMap: "此模型没有注意力，因此没有图。",
    copy: "复制", delete: "删除", substitute: "替换", insert: "插入", end: "结束",
    distribution: "下一个符号的分布", after: "在“{text}”之后", temperature: "温度",
    temperatureHint: "采样服从 p^(1/T) / Z。温度低则保守，温度高则出人意料；1 即模型本身的概率，由竖线标出。",
    bar: "{symbol}：{probability}", others: "+ {count}",
    greedy: "贪心", beam: "束搜索 {size}", sampled: "温度 {temperature}", beamSize: "束宽", seed: "随机种子",
    temperatures: "温度", tree: "束搜索树",
    treeHint: "每行是一步。实线被保留，虚线被剪掉，粗线是结果。符号旁的数字是对数概率之和（纳特）。",
    prompt: "开头", length: "长度（符号）", start: "开始写", stop: "停止", written: "文本",
    novelty: "标记的文字与训练文本逐字相同。", noNovelty: "训练文本不在手边，因此没有标记引文。",
    needLanguage: "服务中没有语言模型。启动时请给一个，例如：seq2seq serve --model prose", needTranslator: "服务中没有翻译模型。启动时请给一个，例如：seq2seq serve --model dates",
    noModels: "服务中没有模型。", noRuns: "还没有训练。训练从开始起就显示在这里。", noEpoch: "还没有写入检查点；曲线从第一个检查点开始。", run: "训练", unfinished: "训练中", finished: "已完成",
    loss: "损失（每符号纳特）", train: "训练", validation: "验证", scores: "分数", samples: "样例", epoch: "轮", table: "各轮的数值",
    chrf: "chrF", exact: "完全匹配（%）",
    drop: "把 .npz、.keras、.h5 或词表 .json 文件拖到这里，或者选择文件。", examine: "选择文件", examining: "正在检查 {files}……",
    broken: "错误", suspicious: "可疑", note: "提示", sound: "没有发现错误。", effect: "后果", fix: "改法", because: "由 {code} 引起",
    inferred: "推断", notExamined: "未检查", evidence: "证据",
    failed: "服务没有回答：{reason}", apiKey: "API 密钥", useKey: "使用此密钥", translated: "输出：{text}",
    needKey: "服务要求 API 密钥。", wrongKey: "此 API 密钥无效，请输入另一个。",
    rows: "步",
  },
};

let language = localStorage.getItem("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");

/** Returns the words for a key in the page's language, with values put in. */
export function words(key, values = {}) {
  return (WORDS[language][key] ?? WORDS.en[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** The page's language, "en" or "zh". */
export const currentLanguage = () => language;

/** Changes the language of the page's fixed parts; views draw themselves again. */
export function setLanguage(code) {
  language = code;
  localStorage.setItem("language", code);
  translateFixed();
}

export function translateFixed() {
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  for (const element of document.querySelectorAll("[data-i18n]")) element.textContent = words(element.dataset.i18n);
  for (const element of document.querySelectorAll("[data-i18n-label]")) element.setAttribute("aria-label", words(element.dataset.i18nLabel));
  const other = document.getElementById("language");
  other.textContent = language === "zh" ? "English" : "中文";
  other.lang = language === "zh" ? "en" : "zh";
}
