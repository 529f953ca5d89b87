import { join } from 'node:path'
import { Seq2Seq, type Seq2SeqLayers } from '../models/seq2seq.js'
import {
  type TranslationPreset,
  type TranslationPresetName,
  translationPresets,
} from '../models/seq2seqPresets.js'
import { Adam, SGD } from '../optim/index.js'
import { Generator } from '../random.js'
import { type PairBatch, pairLoader, type SentencePair } from '../tasks/pairs.js'
import { type FoundTranslation, Translation } from '../tasks/translation.js'
import { ofTest, type TranslationResults } from '../tasks/translationResults.js'
import {
  type Language,
  saveTranslation,
  sourceIds,
  TRANSLATION,
  type TranslationRun,
  targetIds,
  textOf,
} from '../tasks/translationRun.js'
import { Bpe } from '../text/bpe.js'
import { tokenCodec } from '../text/codecs.js'
import { MarkedVocabulary } from '../text/markedVocabulary.js'
import type { TextPair } from '../text/pairs.js'
import { keepBest } from '../training/callbacks.js'
import type { CommonResults } from '../training/record.js'
import { bestState } from './bestState.js'
import { checkKept, type Resumed, readCommand } from './commandLine.js'
import { newDirectory } from './directory.js'
import { writeJson } from './jsonFile.js'
import { UsageError, usageOf, type ValuesOf } from './options.js'
import { type CliTask, runOptionsOf } from './taskOptions.js'
import { type Context, contextOf, type Ending, type Job, type RunOptions, trainRun } from './trainRun.js'
import { evaluateTranslation, evaluateUsage, predictTranslations, predictUsage } from './translate.js'
import { evaluateTable, predictTable, readGivenPairs, searchOf, trainTable } from './translationOptions.js'

const usage = `packed-rnn train --task translation --source FILE --target FILE [--valid-source FILE --valid-target FILE] [OPTION …]
packed-rnn train --task translation --pairs FILE [--valid-pairs FILE] [OPTION …]

Trains an encoder and a decoder on sentence pairs, and prints BLEU and chrF of the validation pairs. Pairs with an empty
side are left out of the training.

${usageOf(trainTable)}`

/** Translation, and other tasks from a text to a text. */
export const translation: CliTask = {
  name: TRANSLATION,
  options: { train: trainTable, evaluate: evaluateTable, predict: predictTable },
  usage: { train: usage, evaluate: evaluateUsage, predict: predictUsage },
  train,
  evaluate: evaluateTranslation,
  predict: predictTranslations,
}

/** Training pairs that the final test translates where there are no validation pairs. */
const TESTED = 1000

type Values = Omit<ValuesOf<typeof trainTable>, 'resume' | 'task'>

interface TrainOptions extends RunOptions {
  values: Values
  preset: TranslationPresetName
}

async function train(args: string[], resumed: Resumed | null, signal: AbortSignal): Promise<void> {
  const optionsOf = (values: Values): TrainOptions => {
    checkTraining(values)
    return { values, preset: values.preset ?? 'gru-attention', ...runOptionsOf(values) }
  }
  checkKept(args, resumed, ['lr'])
  const command = readCommand(args, resumed, { table: trainTable, optionsOf })
  const { values, preset } = command.options
  const context = contextOf(command.options, signal)
  const training = await readGivenPairs(values, { empty: 'skip', signal })
  const valid = await validPairs(values, signal)
  if (values.keep === 'best' && valid.length === 0)
    throw new UsageError('--keep best: wanted validation pairs')
  // Known before the trainer is made: the best epoch is kept in it.
  const out = command.options.out ?? (await newDirectory(preset))
  const options = { ...command.options, out }
  const outcome = await trainRun(
    jobOf({ training, valid }, options, context),
    { ...command, options },
    context,
  )
  process.stdout.write(outcome.report)
  if (values.json !== undefined) await writeJson(values.json, outcome.results.metrics)
}

function checkTraining(values: Values): void {
  const { pairs, tokenizer, merges } = values
  if (pairs === undefined && (values.source === undefined || values.target === undefined)) {
    throw new UsageError('wanted --source FILE --target FILE, or --pairs FILE')
  }
  if (values['valid-pairs'] !== undefined && values['valid-source'] !== undefined) {
    throw new UsageError('--valid-pairs: wanted no --valid-source')
  }
  const tables = [pairs, values['valid-pairs']]
  const columns = values['source-columns'] ?? values['target-columns']
  if (columns !== undefined && tables.every(table => table === undefined)) {
    throw new UsageError('--source-columns, --target-columns: wanted --pairs or --valid-pairs')
  }
  searchOf(values)
  if (merges !== undefined && tokenizer !== 'bpe') throw new UsageError('--merges: wanted --tokenizer bpe')
}

async function validPairs(values: Values, signal: AbortSignal): Promise<TextPair[]> {
  const { 'valid-source': source, 'valid-target': target, 'valid-pairs': pairs } = values
  if (source === undefined && pairs === undefined) return []
  const columns = { 'source-columns': values['source-columns'], 'target-columns': values['target-columns'] }
  return readGivenPairs({ source, target, pairs, ...columns }, { empty: 'keep', signal })
}

/** A model that is new, with its data, its optimiser and the loop's rules. */
function jobOf(
  given: { training: TextPair[]; valid: TextPair[] },
  { values, preset: name, out }: TrainOptions & { out: string },
  { device, signal }: Context,
): Job<PairBatch, null, FoundTranslation[], TranslationResults> {
  const preset: TranslationPreset = translationPresets[name]
  const { seed = 1, lowercase = false, keep = 'best' } = values
  const generator = new Generator(seed)
  const { source, target } = languagesOf(given.training, values, preset.minFrequency)
  const model = new Seq2Seq({
    ...preset.layers,
    ...layersOf(values),
    device,
    generator,
    sourceVocabularySize: source.vocabulary.size,
    targetVocabularySize: target.vocabulary.size,
  })
  const run: TranslationRun = { model, source, target, lowercase }
  const most = values['max-length'] ?? Number.POSITIVE_INFINITY
  const training = encodedPairs(run, given.training, most)
  const valid = encodedPairs(run, given.valid, most)
  const { begin, end } = target.vocabulary
  const search = searchOf(values)
  const task = new Translation(model, {
    begin,
    end,
    teacherForcing: values['teacher-forcing'] ?? preset.teacherForcing,
    labelSmoothing: values['label-smoothing'] ?? 0,
    ...(preset.reduction !== undefined && { reduction: preset.reduction }),
  })
  const measured = new Translation(model, {
    begin,
    end,
    bleu: {
      decode: ids => textOf(run, ids),
      references: valid.map(({ text }) => (lowercase ? text.target.toLowerCase() : text.target)),
    },
  })
  const lr = values.lr ?? preset.optimizer.lr
  const parameters = model.parameters()
  const best = join(out, 'best')
  const keeps = keep === 'best' && valid.length > 0
  const batchSize = values['batch-size'] ?? preset.batchSize
  const order = {
    batchSize,
    bucketByLength: true,
    ...(values['max-tokens'] !== undefined && { maxTokens: values['max-tokens'] }),
  }
  const finish = async (): Promise<Ending<TranslationResults>> => {
    if (keeps) model.loadStateDict((await bestState(best)).model)
    model.eval()
    const tested = valid.length > 0 ? valid : training.slice(0, TESTED)
    const tokenize = values['bleu-tokenizer']
    const texts = tested.map(({ text }) => text)
    const found = await ofTest(run, texts, { search, signal, ...(tokenize && { tokenize }) })
    const note =
      valid.length > 0 ? '' : `These are the first ${tested.length} training pairs: no others were given.\n`
    const words = { source: source.vocabulary.size, target: target.vocabulary.size }
    const own = {
      preset: name,
      words,
      pairs: { training: training.length, valid: valid.length },
      ...found.own,
    }
    const save = (path: string) => saveTranslation(run, path)
    return { report: found.report + note, metrics: found.metrics, own, save }
  }
  return {
    task: TRANSLATION,
    name,
    about: `${training.length} pairs, ${source.vocabulary.size} and ${target.vocabulary.size} words`,
    trainer: {
      model,
      task,
      optimizer:
        preset.optimizer.kind === 'adam' ? new Adam(parameters, { lr }) : new SGD(parameters, { lr }),
      ...(preset.clip !== null && { clip: { parameters, maxNorm: preset.clip } }),
      onNonFinite: values['on-non-finite'] ?? 'throw',
      callbacks: keeps ? [keepBest({ metric: 'loss', directory: best })] : [],
    },
    loader: pairLoader(training, { ...order, shuffle: true, seed }),
    epochs: values.epochs ?? preset.epochs,
    test: valid.length === 0 ? undefined : { loader: pairLoader(valid, order), task: measured },
    settings: settingsOf(values, name),
    finish,
  }
}

/** A pair of texts as ids. */
interface EncodedPair extends SentencePair {
  text: TextPair
}

/** The pairs whose sides have at most so many tokens. @throws UsageError for a source that the model cannot read. */
function encodedPairs(run: TranslationRun, pairs: readonly TextPair[], most: number): EncodedPair[] {
  const { longestSource } = run.model.decoder
  return pairs.flatMap((text, i) => {
    const [source, target] = [sourceIds(run, text.source), targetIds(run, text.target)]
    if (source.length > most || target.length - 2 > most) return []
    if (source.length <= longestSource) return [{ source, target, text }]
    const where = `pair ${i + 1} has a source of ${source.length} words`
    throw new UsageError(`--max-length: wanted at most ${longestSource} for this preset: ${where}`)
  })
}

/** The tokenisers and the vocabularies of both sides, of the training pairs. */
function languagesOf(
  pairs: readonly TextPair[],
  values: Values,
  minFrequency: number,
): { source: Language; target: Language } {
  const { tokenizer = 'whitespace', merges = 8000, lowercase = false } = values
  const text = (side: keyof TextPair) =>
    pairs.map(pair => (lowercase ? pair[side].toLowerCase() : pair[side]))
  const [sources, targets] = [text('source'), text('target')]
  // One for both languages: names and numbers are then cut in the same way.
  const codec = tokenizer === 'bpe' ? Bpe.learn([...sources, ...targets], { merges }) : tokenCodec(tokenizer)
  const language = (texts: readonly string[]): Language => ({
    codec,
    vocabulary: MarkedVocabulary.fromDocuments(
      texts.map(each => codec.encode(each)),
      {
        minCount: values['min-frequency'] ?? minFrequency,
        ...(values['max-words'] !== undefined && { maxWords: values['max-words'] }),
      },
    ),
  })
  return { source: language(sources), target: language(targets) }
}

/** What the command line says instead of the preset. */
function layersOf(values: Values): Partial<Seq2SeqLayers> {
  const { 'embedding-dim': embeddingDim, 'hidden-size': hiddenSize, layers: numLayers, dropout } = values
  return {
    ...(embeddingDim !== undefined && { embeddingDim }),
    ...(hiddenSize !== undefined && { hiddenSize }),
    ...(numLayers !== undefined && { numLayers }),
    ...(dropout !== undefined && { dropout }),
  }
}

/** The settings of the results: the options as they were given, with the preset's values for those that were not. */
function settingsOf(values: Values, name: TranslationPresetName): CommonResults['settings'] {
  const preset = translationPresets[name]
  const { layers } = preset
  const { json: _, out: __, checkpoint: ___, quiet: ____, ...given } = values
  const shown = Object.entries(given).map(([option, value]) => [
    option,
    Array.isArray(value) ? value.join(',') : (value ?? null),
  ])
  return {
    ...Object.fromEntries(shown),
    preset: name,
    tokenizer: values.tokenizer ?? 'whitespace',
    'min-frequency': values['min-frequency'] ?? preset.minFrequency,
    'embedding-dim': values['embedding-dim'] ?? layers.embeddingDim,
    'hidden-size': values['hidden-size'] ?? layers.hiddenSize,
    dropout: values.dropout ?? layers.dropout,
    'teacher-forcing': values['teacher-forcing'] ?? preset.teacherForcing,
    lr: values.lr ?? preset.optimizer.lr,
    epochs: values.epochs ?? preset.epochs,
    'batch-size': values['batch-size'] ?? preset.batchSize,
    keep: values.keep ?? ((values['valid-source'] ?? values['valid-pairs']) ? 'best' : 'last'),
    seed: values.seed ?? 1,
  }
}
