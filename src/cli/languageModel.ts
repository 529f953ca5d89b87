import { join } from 'node:path'
import { readText } from '../files/read.js'
import { LanguageModel, type LanguageModelLayers } from '../models/languageModel.js'
import { type LanguagePreset, type LanguagePresetName, languagePresets } from '../models/languagePresets.js'
import { AdamW, AveragedSGD, OneCycle, oneCycle, Scheduler, SGD } from '../optim/index.js'
import { Generator } from '../random.js'
import { type LanguageCarry, LanguageModeling } from '../tasks/languageModeling.js'
import { type LanguageResults, ofLanguageTest, TEST_STREAMS } from '../tasks/languageResults.js'
import {
  LANGUAGE_MODEL,
  type LanguageRun,
  lineIds,
  loadLanguageModel,
  saveLanguageModel,
} from '../tasks/languageRun.js'
import { StreamLoader, type Window } from '../tasks/streams.js'
import { Bpe } from '../text/bpe.js'
import { tokenCodec } from '../text/codecs.js'
import { lines } from '../text/lines.js'
import { MarkedVocabulary } from '../text/markedVocabulary.js'
import { type Callback, keepBest } from '../training/callbacks.js'
import { NonMonotonic, nonMonotonicStopping } from '../training/nonMonotonic.js'
import type { CommonResults } from '../training/record.js'
import { byEpoch, type TrainerScheduler } from '../training/schedule.js'
import type { AnyOptimizer } from '../training/trainerState.js'
import { bestState } from './bestState.js'
import { checkKept, type Resumed, readCommand } from './commandLine.js'
import { newDirectory } from './directory.js'
import { writeJson } from './jsonFile.js'
import { DEFAULT_PRESET, evaluateTable, predictTable, trainTable } from './languageModelOptions.js'
import { evaluateLanguageModel, evaluateUsage, predictLines, predictUsage } from './languageModelRuns.js'
import { UsageError, usageOf, type ValuesOf } from './options.js'
import { type CliTask, runOptionsOf } from './taskOptions.js'
import { type Context, contextOf, type Ending, type Job, type RunOptions, trainRun } from './trainRun.js'

const usage = `packed-rnn train --task language-model --train FILE [--valid FILE] [OPTION …]

Trains a language model on a text and prints its perplexity on the validation text. The text is cut into parallel streams, whose
state is kept from step to step.

${usageOf(trainTable)}`

/** Language models of words, parts of words or characters. */
export const languageModel: CliTask = {
  name: LANGUAGE_MODEL,
  options: { train: trainTable, evaluate: evaluateTable, predict: predictTable },
  usage: { train: usage, evaluate: evaluateUsage, predict: predictUsage },
  train,
  evaluate: evaluateLanguageModel,
  predict: predictLines,
}

/** Lines of the training text that the final test reads where there is no validation text. */
const TESTED = 1000

type Values = Omit<ValuesOf<typeof trainTable>, 'resume' | 'task'>

interface TrainOptions extends RunOptions {
  values: Values
  name: LanguagePresetName
}

/** What is trained on. */
interface Texts {
  training: string[]
  valid: string[] | null
  /** The run whose model is trained further. */
  earlier: LanguageRun | null
}

async function train(args: string[], resumed: Resumed | null, signal: AbortSignal): Promise<void> {
  const optionsOf = (values: Values): TrainOptions => {
    checkTraining(values)
    return { values, name: values.preset ?? DEFAULT_PRESET, ...runOptionsOf(values) }
  }
  const command = readCommand(args, resumed, { table: trainTable, optionsOf })
  const { values, name } = command.options
  checkKept(args, resumed, languagePresets[name].schedule?.kind === 'oneCycle' ? ['lr', 'epochs'] : ['lr'])
  const context = contextOf(command.options, signal)
  const linesOf = async (file: string) => {
    const found: string[] = []
    for await (const line of lines(readText(file, signal))) found.push(line)
    return found
  }
  const texts: Texts = {
    training: await linesOf(values.train!),
    valid: values.valid === undefined ? null : await linesOf(values.valid),
    earlier:
      values.finetune === undefined
        ? null
        : await loadLanguageModel(values.finetune, { device: context.device }),
  }
  // Known before the trainer is made: the best epoch is kept in it.
  const out = command.options.out ?? (await newDirectory(name))
  const options = { ...command.options, out }
  const job = await jobOf(texts, options, context)
  const outcome = await trainRun(job, { ...command, options }, context)
  process.stdout.write(outcome.report)
  if (values.json !== undefined) await writeJson(values.json, outcome.results.metrics)
}

function checkTraining(values: Values): void {
  if (values.train === undefined) throw new UsageError('wanted --train FILE')
  const { merges, level, valid, keep, finetune, preset = DEFAULT_PRESET } = values
  if (merges !== undefined && level !== 'bpe') throw new UsageError('--merges: wanted --level bpe')
  if (valid === undefined) {
    if (keep === 'best') throw new UsageError('--keep best: wanted a validation text')
    if (finetune !== undefined) throw new UsageError('--finetune: wanted a validation text')
    if (languagePresets[preset].averages !== null) {
      throw new UsageError(`--valid: wanted a text: ${preset} starts to average by the validation loss`)
    }
  }
  if (finetune === undefined) return
  if (languagePresets[preset].optimizer.kind !== 'sgd') {
    throw new UsageError(`--preset: wanted one that trains with SGD beside --finetune, got ${preset}`)
  }
  const fixed = ['level', 'merges', 'lowercase', 'min-frequency', 'max-words'] as const
  const sizes = ['embedding-dim', 'hidden-size', 'layers'] as const
  const given = [...fixed, ...sizes].find(name => values[name] !== undefined)
  if (given !== undefined) throw new UsageError(`--${given}: wanted no --finetune, whose run has its own`)
}

/** A model that is new, or that of an earlier run, with its data, its optimiser and the loop's rules. */
async function jobOf(
  { training, valid, earlier }: Texts,
  { values, name, out }: TrainOptions & { out: string },
  { device, signal }: Context,
): Promise<Job<Window, LanguageCarry, Float32Array, LanguageResults>> {
  const preset: LanguagePreset = languagePresets[name]
  const { seed = 1, keep = 'best' } = values
  const text = earlier ?? languageOf(training, values)
  const layers = layersOf(earlier?.model.layers ?? preset.layers, values)
  const { vocabulary } = text
  const generator = new Generator(seed)
  const model = new LanguageModel({ ...layers, device, generator, vocabularySize: vocabulary.size })
  if (earlier !== null) {
    model.loadStateDict(await earlier.model.stateDict())
    earlier.model.dispose()
  }
  const { codec, lowercase } = text
  const run: LanguageRun = { model, codec, vocabulary, lowercase }
  const tested = valid ?? training.slice(0, TESTED)
  const ids = { training: lineIds(run, training), tested: lineIds(run, tested) }
  const batchSize = values['batch-size'] ?? preset.batchSize
  const window = values.window ?? preset.window
  const { variable, reduction, activation, temporal } = preset
  const loader = new StreamLoader(ids.training, { batchSize, window, variable, seed })
  const testStreams = Math.max(1, Math.min(TEST_STREAMS, Math.floor(ids.tested.length / 2)))
  const epochs = values.epochs ?? preset.epochs
  const steps = Array.from({ length: epochs }, (_, i) => loader.epoch(i).batches).reduce((a, b) => a + b, 0)
  const { optimizer, scheduler } = optimisation(model, preset, {
    lr: values.lr ?? preset.optimizer.lr,
    begun: earlier !== null,
    steps,
  })
  const best = join(out, 'best')
  const keeps = keep === 'best' && valid !== null
  const callbacks: Callback[] = [
    ...(keeps ? [keepBest({ metric: 'loss', directory: best })] : []),
    ...(earlier === null ? [] : [nonMonotonicStopping({ metric: 'loss', epochs: preset.averages ?? 5 })]),
  ]
  const finish = async (): Promise<Ending<LanguageResults>> => {
    if (keeps) {
      const state = await bestState(best)
      model.loadStateDict(state.model)
      optimizer.loadStateDict(state.optimizer)
    }
    optimizer.swapAverages?.()
    model.eval()
    const found = await ofLanguageTest(run, tested, { signal, seed, batchSize: testStreams })
    const note = valid === null ? `This is the training text's beginning: no other text was given.\n` : ''
    const tokens = { training: ids.training.length, valid: valid === null ? 0 : ids.tested.length }
    const own = { preset: name, words: vocabulary.size, tokens, ...found.own }
    const save = (path: string) => saveLanguageModel(run, path)
    return { report: found.report + note, metrics: found.metrics, own, save }
  }
  return {
    task: LANGUAGE_MODEL,
    name,
    about: `${ids.training.length} tokens, ${vocabulary.size} words`,
    trainer: {
      model,
      task: new LanguageModeling(model, { reduction, activation, temporal }),
      optimizer,
      ...(scheduler !== null && { scheduler }),
      ...(preset.clip !== null && { clip: { parameters: model.parameters(), maxNorm: preset.clip } }),
      onNonFinite: values['on-non-finite'] ?? 'throw',
      callbacks,
    },
    loader,
    epochs,
    test:
      valid === null
        ? undefined
        : { loader: new StreamLoader(ids.tested, { batchSize: testStreams, window: 70 }) },
    settings: settingsOf(values, name, layers),
    finish,
  }
}

/** How text becomes ids: the tokeniser, and the vocabulary of the training text. */
function languageOf(training: readonly string[], values: Values): Omit<LanguageRun, 'model'> {
  const { level = 'word', merges = 8000, lowercase = false } = values
  const texts = lowercase ? training.map(line => line.toLowerCase()) : training
  const codec =
    level === 'bpe'
      ? Bpe.learn(texts, { merges })
      : tokenCodec(level === 'word' ? 'whitespace' : 'characters')
  const vocabulary = MarkedVocabulary.fromDocuments(
    texts.map(line => codec.encode(line)),
    {
      minCount: values['min-frequency'] ?? 1,
      ...(values['max-words'] !== undefined && { maxWords: values['max-words'] }),
    },
  )
  return { codec, vocabulary, lowercase }
}

/** What the command line says instead of the preset. */
function layersOf(preset: LanguageModelLayers, values: Values): LanguageModelLayers {
  const { 'embedding-dim': embeddingDim, 'hidden-size': hiddenSize, layers: numLayers } = values
  const factor = values['dropout-factor'] ?? 1
  const dropout = Object.entries(preset.dropout ?? {}).map(([name, p = 0]) => {
    if (p * factor < 1) return [name, p * factor]
    throw new UsageError(`--dropout-factor: wanted probabilities below 1, got ${p * factor} for ${name}`)
  })
  return {
    ...preset,
    ...(embeddingDim !== undefined && { embeddingDim }),
    ...(hiddenSize !== undefined && { hiddenSize }),
    ...(numLayers !== undefined && { numLayers }),
    dropout: Object.fromEntries(dropout),
  }
}

/** The optimiser and the scheduler of a preset. @param begun whether parameters are averaged from the first step on */
function optimisation(
  model: LanguageModel,
  { optimizer: rule, averages, schedule }: LanguagePreset,
  { lr, begun, steps }: { lr: number; begun: boolean; steps: number },
): { optimizer: AnyOptimizer; scheduler: TrainerScheduler | null } {
  const parameters = model.parameters()
  const { weightDecay = 0 } = rule
  if (begun)
    return { optimizer: new AveragedSGD(parameters, { lr, weightDecay, averages: true }), scheduler: null }
  if (averages !== null) {
    const optimizer = new AveragedSGD(parameters, { lr, weightDecay })
    return { optimizer, scheduler: new NonMonotonic(optimizer, { metric: 'loss', epochs: averages }) }
  }
  const optimizer =
    rule.kind === 'sgd'
      ? new SGD(parameters, { lr, weightDecay })
      : new AdamW(parameters, { lr, weightDecay, ...(rule.betas && { betas: rule.betas }) })
  if (schedule === null) return { optimizer, scheduler: null }
  if (schedule.kind === 'oneCycle') {
    const { momentums } = schedule
    return {
      optimizer,
      scheduler:
        momentums !== undefined && optimizer instanceof AdamW
          ? new OneCycle(optimizer, { steps, momentums })
          : new Scheduler(optimizer, oneCycle({ steps })),
    }
  }
  const { after, factor } = schedule
  const decay = (epoch: number, rate: number) => rate * factor ** Math.max(0, epoch + 1 - after)
  return { optimizer, scheduler: byEpoch(new Scheduler(optimizer, decay)) }
}

/** The settings of the results: the options as they were given, with the preset's values for those that were not. */
function settingsOf(
  values: Values,
  name: LanguagePresetName,
  layers: LanguageModelLayers,
): CommonResults['settings'] {
  const preset: LanguagePreset = languagePresets[name]
  const { json: _, out: __, checkpoint: ___, quiet: ____, ...given } = values
  return {
    ...Object.fromEntries(Object.entries(given).map(([option, value]) => [option, value ?? null])),
    preset: name,
    level: values.level ?? (values.finetune === undefined ? 'word' : null),
    'embedding-dim': layers.embeddingDim,
    'hidden-size': layers.hiddenSize,
    layers: layers.numLayers ?? 1,
    lr: values.lr ?? preset.optimizer.lr,
    epochs: values.epochs ?? preset.epochs,
    'batch-size': values['batch-size'] ?? preset.batchSize,
    window: values.window ?? preset.window,
    keep: values.keep ?? (values.valid === undefined ? 'last' : 'best'),
    seed: values.seed ?? 1,
  }
}
