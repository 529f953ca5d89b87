import { readFile } from 'node:fs/promises'
import * as v from 'valibot'
import { readCommand } from '../../src/cli/commandLine.js'
import { deviceChoice, deviceOptions, openDevice } from '../../src/cli/deviceOptions.js'
import { writeJson } from '../../src/cli/jsonFile.js'
import {
  fileOption,
  integerOption,
  onePositional,
  parse,
  textOption,
  usageOf,
  type ValuesOf,
} from '../../src/cli/options.js'
import {
  type CliTask,
  directoryOptions,
  evaluateOptions,
  loopOptions,
  runOptionsOf,
} from '../../src/cli/taskOptions.js'
import { type Context, contextOf, type Job, trainRun } from '../../src/cli/trainRun.js'
import type { Device } from '../../src/device.js'
import { ofFile } from '../../src/errors.js'
import { Embedding, Linear, LSTM, Module } from '../../src/nn/index.js'
import { crossEntropy } from '../../src/ops/loss.js'
import { argmax } from '../../src/ops/reduce.js'
import { Adam } from '../../src/optim/index.js'
import { packSequence } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { type FinishedRun, finishedRun } from '../../src/reports/finishedRun.js'
import { html } from '../../src/reports/html.js'
import { plainView } from '../../src/reports/plainView.js'
import type { TaskView } from '../../src/reports/taskView.js'
import type { Tensor } from '../../src/tensor.js'
import { predict } from '../../src/training/evaluation.js'
import { evaluate } from '../../src/training/index.js'
import { DataLoader } from '../../src/training/loader.js'
import type { ResultsKind } from '../../src/training/records.js'
import { loadTrained, type RunKind, saveTrained } from '../../src/training/runFiles.js'
import type { Sums, Task } from '../../src/training/task.js'

/** A task that is not classification, with all that the command line asks of one: a character language model. */

interface Layers {
  embeddingDim: number
  hiddenSize: number
}

class CharacterModel extends Module {
  readonly embedding: Embedding
  readonly lstm: LSTM
  readonly linear: Linear

  constructor(characters: number, { embeddingDim, hiddenSize }: Layers, device: Device, seed: number) {
    const own = { device, generator: new Generator(seed) }
    super(own)
    this.embedding = this.child(
      'embedding',
      new Embedding({ ...own, numEmbeddings: characters, embeddingDim }),
    )
    this.lstm = this.child('lstm', new LSTM({ ...own, inputSize: embeddingDim, hiddenSize }))
    this.linear = this.child(
      'linear',
      new Linear({ ...own, inFeatures: hiddenSize, outFeatures: characters }),
    )
  }

  forward({ read }: Window, before: States | null) {
    const { output, state } = this.lstm.forward(this.embedding.forward(packSequence(read)), before)
    return { logits: this.linear.forward(output.data), states: { h: state.h, c: state.c } }
  }
}

interface Window {
  read: Int32Array[]
  next: number[]
}
type States = { h: Tensor<'float32', 3>; c: Tensor<'float32', 3> }

/** Called before each step of training. */
export const watch = { step: () => {} }

class CharacterTask implements Task<Window, States, number> {
  readonly model: CharacterModel

  constructor(model: CharacterModel) {
    this.model = model
  }

  weight({ next }: Window): number {
    return next.length
  }

  step(window: Window, before: States | null) {
    if (this.model.training) watch.step()
    const { logits, states } = this.model.forward(window, before)
    return { loss: crossEntropy(logits, window.next, { reduction: 'sum' }), sums: {}, carry: states }
  }

  metrics({ loss, weight }: Sums): Record<string, number> {
    return { loss: loss / weight, perplexity: Math.exp(loss / weight) }
  }

  async predict(window: Window): Promise<number[]> {
    return [...(await argmax(this.model.forward(window, null).logits, { dim: 1 }).toArray())]
  }
}

/** A trained model with its characters. */
interface CharacterRun {
  characters: string
  layers: Layers
  model: CharacterModel
}

const layersSchema = v.object({ embeddingDim: v.number(), hiddenSize: v.number() })

const runKind: RunKind<CharacterRun, Omit<CharacterRun, 'model'>> = {
  task: 'characters',
  schema: v.object({ characters: v.string(), layers: layersSchema }),
  save: ({ model, ...config }) => ({ config, model }),
  load({ characters, layers }, { modelFile, state }, { device }) {
    const model = new CharacterModel(characters.length, layers, device!, 0)
    ofFile(modelFile, () => model.loadStateDict(state))
    return { characters, layers, model }
  },
}

/** The task's own part of results.json: what the model writes. */
interface Own {
  sample: string
}

const resultsKind: ResultsKind<Own> = { task: 'characters', schema: v.object({ sample: v.string() }) }

const view: TaskView<FinishedRun<Own>> = {
  ...plainView('characters'),
  read: directory => finishedRun(directory, resultsKind),
  curves: { metrics: {}, tested: 'validation', clipped: null },
  sections: ({ results }) => html`<h2>What it writes</h2><p>${results.sample}</p>`,
}

const table = {
  task: textOption('NAME', 'characters'),
  text: fileOption('the text to learn'),
  epochs: integerOption('default 4', 1),
  hidden: integerOption('units of the LSTM; default 8', 1),
  ...loopOptions,
  ...directoryOptions,
} as const

const optionsOf = (values: ValuesOf<typeof table>) => ({
  text: values.text!,
  epochs: values.epochs ?? 4,
  hidden: values.hidden ?? 8,
  seed: values.seed ?? 1,
  ...runOptionsOf(values),
})

const [STREAMS, LENGTH] = [4, 6]

/** Windows of some streams of a text. */
function windowsOf(text: string, characters: string): Window[] {
  const ids = Int32Array.from(text, character => characters.indexOf(character))
  const length = Math.floor((ids.length - 1) / STREAMS)
  const rows = (at: number) =>
    Array.from({ length: STREAMS }, (_, b) => ids.subarray(b * length + at).subarray(0, LENGTH))
  return Array.from({ length: Math.floor(length / LENGTH) }, (_, i) => {
    return { read: rows(i * LENGTH), next: rows(i * LENGTH + 1).flatMap(row => [...row]) }
  })
}

const loaderOf = (windows: Window[]) =>
  new DataLoader(windows, { collate: ([window]) => window!, batchSize: 1 })

function jobOf(
  text: string,
  { epochs, hidden, seed }: ReturnType<typeof optionsOf>,
  { device }: Context,
): Job<Window, States, number, Own> {
  const characters = [...new Set(text)].sort().join('')
  const layers = { embeddingDim: 4, hiddenSize: hidden }
  const model = new CharacterModel(characters.length, layers, device, seed)
  const task = new CharacterTask(model)
  const windows = windowsOf(text, characters)
  const optimizer = new Adam(model.parameters(), { lr: 0.02 })
  const test = { loader: loaderOf(windows.slice(0, 3)) }
  return {
    ...{
      task: 'characters',
      name: `characters${hidden}`,
      about: `${text.length} characters`,
      epochs,
      test,
      view,
    },
    trainer: { model, task, optimizer, clip: { parameters: model.parameters(), maxNorm: 0.75 } },
    loader: loaderOf(windows),
    settings: { epochs, hidden, seed },
    async finish() {
      const { metrics } = await evaluate(task, test.loader)
      let sample = ''
      for await (const id of predict(task, windows.slice(0, 1))) sample += characters[id]
      const save = (directory: string) => saveTrained(runKind, { characters, layers, model }, directory)
      return { report: `perplexity ${metrics.perplexity!.toFixed(4)}\n`, metrics, own: { sample }, save }
    },
  }
}

async function loaded(values: Partial<ValuesOf<typeof deviceOptions>>, directory: string, file: string) {
  const device = openDevice(deviceChoice(values))
  const { characters, model } = await loadTrained(runKind, directory, { device })
  const windows = windowsOf(await readFile(file, 'utf8'), characters)
  return { characters, task: new CharacterTask(model), windows }
}

const evaluateTable = { text: fileOption('a text'), ...evaluateOptions } as const
const predictTable = { ...deviceOptions } as const

export const characters: CliTask = {
  name: 'characters',
  options: { train: table, evaluate: evaluateTable, predict: predictTable },
  usage: {
    train: `train --task characters --text FILE\n${usageOf(table)}`,
    evaluate: `evaluate RUN --text FILE\n${usageOf(evaluateTable)}`,
    predict: 'predict RUN FILE',
  },
  async train(args, resumed, signal) {
    const command = readCommand(args, resumed, { table, optionsOf })
    const context = contextOf(command.options, signal)
    const text = await readFile(command.options.text, 'utf8')
    const { report } = await trainRun(jobOf(text, command.options, context), command, context)
    process.stdout.write(report)
  },
  async evaluate(args, signal) {
    const { values, positionals } = parse(args, evaluateTable)
    const { task, windows } = await loaded(values, onePositional('a run', positionals), values.text!)
    const { metrics } = await evaluate(task, loaderOf(windows.slice(0, 3)), { signal })
    process.stdout.write(`perplexity ${metrics.perplexity!.toFixed(4)}\n`)
    if (values.json !== undefined) await writeJson(values.json, metrics)
  },
  async predict(args, signal) {
    const { values, positionals } = parse(args, predictTable)
    const [directory, file] = positionals
    const { characters: known, task, windows } = await loaded(values, directory!, file!)
    for await (const id of predict(task, windows.slice(0, 1), { signal })) process.stdout.write(known[id]!)
    process.stdout.write('\n')
  },
}
