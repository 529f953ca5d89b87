import { Classifier } from '../models/classifier.js'
import { Generator } from '../random.js'
import { documentLoader } from '../tasks/classification.js'
import { classificationReport } from '../tasks/classificationReport.js'
import { type ClassifierResults, testMetrics } from '../tasks/classificationResults.js'
import { CLASSIFICATION, saveRun } from '../tasks/classifierRun.js'
import { classify, surestMistakes } from '../tasks/classify.js'
import { notebookTraining } from '../tasks/notebook.js'
import { rulesOf } from '../tasks/rules.js'
import type { Batch, LabelledDocuments } from '../text/batches.js'
import { LabelEncoder } from '../text/labels.js'
import { tokenizers } from '../text/tokenize.js'
import { embeddingTable, Vocabulary } from '../text/vocabulary.js'
import { notebookPrinter } from '../training/notebookProgress.js'
import type { Command } from './commandLine.js'
import { type Corpus, encodeArticles } from './data.js'
import { settingsOf } from './settings.js'
import type { TrainOptions } from './trainOptions.js'
import { type Context, type Ending, type Job, type Outcome, trainRun } from './trainRun.js'

const EMBEDDING_DIM = 300

/** Test documents that go through the model at once. */
const TEST_BATCH = 32

/** Words of a vocabulary from fewer documents than this are unknown ones, so that the row of these learns something. */
const MIN_COUNT = 2

/** Trains one run of a classifier. */
export async function trainClassifier(
  corpus: Corpus,
  command: Command<TrainOptions>,
  context: Context,
): Promise<Outcome<ClassifierResults>> {
  return trainRun(classifierJob(corpus, command.options, context), command, context)
}

/** A classifier that is new, with its data, its optimiser and the loop's rules. */
function classifierJob(
  corpus: Corpus,
  options: TrainOptions,
  { device, signal }: Context,
): Job<Batch, null, unknown, ClassifierResults> {
  const { name, preset, source, dialect, tokenizer, seed, pooling, evaluateEvery } = options
  const generator = new Generator(seed)
  const words = embeddingOf(corpus, options, generator)
  const labels = LabelEncoder.fit(corpus.training.map(({ category }) => category))
  const posts =
    source.format === 'omp' && source.fold !== undefined
      ? { category: source.category, fold: source.fold }
      : null
  const parts = { preset: name, dialect, posts, tokenizer, vocabulary: words.vocabulary, labels }
  const training = encodeArticles(parts, corpus.training)
  const test = encodeArticles(parts, corpus.test)
  const { classes } = labels
  const model = new Classifier({
    preset,
    pooling,
    device,
    generator,
    vocabularySize: words.vocabulary.size,
    classes: classes.length,
    embeddingDim: words.dim,
    ...(words.table === null ? {} : { vectors: words.table }),
  })
  const rules = rulesOf(options.loop, options.mode)
  const { test: measured, ...how } = notebookTraining(model, preset, rules)
  const finish = async (): Promise<Ending<ClassifierResults>> => {
    const { loss, ...found } = await classify(model, test, { signal, dropout: rules.dropsInEvaluation })
    const result = { loss, truth: [...test.labels], predicted: [...found.predicted] }
    const own: ClassifierResults = {
      preset: name,
      classes: [...classes],
      vocabularySize: words.vocabulary.size,
      lengths: { training: lengthsOf(training), test: lengthsOf(test) },
      test: result,
      mistakes: surestMistakes({ loss, ...found }, test.labels, classes, corpus.test),
    }
    const all = { labels: classes.map((_, i) => i) }
    const report = classificationReport(test.labels, found.predicted, classes, all)
    const save = (directory: string) => saveRun({ ...parts, model }, directory)
    return { report, metrics: testMetrics(result), own, save }
  }
  const order = { batchSize: preset.batchSize, shuffle: rules.shuffles, seed }
  const tests = documentLoader(test, { batchSize: TEST_BATCH })
  return {
    task: CLASSIFICATION,
    name,
    about: `${corpus.training.length} documents, ${words.vocabulary.size} words`,
    trainer: { model, ...how, onNonFinite: options.onNonFinite },
    loader: documentLoader(training, { ...options.batches, ...order }),
    epochs: preset.epochs,
    test: evaluateEvery > 0 ? { loader: tests, every: evaluateEvery, task: measured } : undefined,
    settings: settingsOf(options),
    ...(options.progress === 'notebook' && !options.quiet && { printer: notebookPrinterOf(options) }),
    finish,
  }
}

function notebookPrinterOf({ loop }: TrainOptions) {
  return notebookPrinter({ stream: process.stderr, form: loop === 'document' ? 'iteration' : 'epoch' })
}

/** The given vectors, or none, for the words that the training documents share. */
function embeddingOf(
  { training, vectors }: Corpus,
  { tokenizer, unk, padding }: TrainOptions,
  generator: Generator,
): { vocabulary: Vocabulary; table: Float32Array | null; dim: number } {
  if (vectors === null) {
    const words = training.map(({ text }) => tokenizers[tokenizer](text))
    const vocabulary = Vocabulary.fromDocuments(words, { minCount: MIN_COUNT, padding })
    return { vocabulary, table: null, dim: EMBEDDING_DIM }
  }
  const vocabulary = Vocabulary.fromWords(vectors.words, { padding })
  const table = embeddingTable(vocabulary, vectors, { unk, seed: generator.bits() })
  return { vocabulary, table, dim: vectors.dim }
}

function lengthsOf({ documents }: LabelledDocuments): number[] {
  return documents.map(({ length }) => length)
}
