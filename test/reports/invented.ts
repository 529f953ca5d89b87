import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PresetName } from '../../src/models/presets.js'
import { Generator } from '../../src/random.js'
import type { RunResults } from '../../src/tasks/classificationResults.js'
import { inventArticles } from '../../src/text/invented.js'
import type { EpochRecord } from '../../src/training/record.js'
import { writeResults } from '../../src/training/records.js'

/** Numbers of articles in 10kGNAD's official files: training in total, test by category. */
export const official = {
  training: 9245,
  test: {
    Etat: 67,
    Inland: 102,
    International: 151,
    Kultur: 54,
    Panorama: 168,
    Sport: 120,
    Web: 168,
    Wirtschaft: 141,
    Wissenschaft: 57,
  },
}

/** A line as earlier versions wrote it, which is still read. */
export type EpochLine = Omit<EpochRecord, 'metrics' | 'test'> & {
  test: { loss: number; accuracy: number } | null
}

/** Results as earlier versions wrote them, which are still read. */
export type ResultsBefore = Omit<RunResults, 'format' | 'task' | 'clip' | 'metrics'> & {
  format: 'packed-rnn results 1'
}

export interface InventedRun {
  epochs: EpochLine[]
  results: ResultsBefore
}

export interface Invention {
  preset?: PresetName
  epochs?: number
  training?: number
  /** Test articles by category. */
  test?: Record<string, number>
  seed?: number
}

/** Invented records of a run: a decreasing loss, and a model with an accuracy of about .8. */
export function inventRun({
  preset = 'lstm64-adam',
  epochs = 12,
  training = 600,
  test = {
    Etat: 12,
    Inland: 20,
    International: 31,
    Kultur: 10,
    Panorama: 33,
    Sport: 24,
    Web: 33,
    Wirtschaft: 28,
    Wissenschaft: 11,
  },
  seed = 1,
}: Invention = {}): InventedRun {
  const generator = new Generator(seed)
  const noise = (size: number) => 1 + size * (generator.uniform() - 0.5)
  const classes = Object.keys(test)
  const truth = Object.values(test).flatMap((count, id) => new Array<number>(count).fill(id))
  const predicted = truth.map(id =>
    generator.uniform() < 0.8 ? id : Math.floor(generator.uniform() * classes.length),
  )
  const texts = inventArticles(10, seed)
  const wrong = truth.flatMap((id, document) => (predicted[document] === id ? [] : [document]))
  const length = () => Math.round(298 * Math.exp(0.65 * generator.normal()))
  return {
    epochs: Array.from({ length: epochs }, (_, i) => ({
      ...{ epoch: i + 1, steps: 3 * (i + 1), learningRate: 0.01 },
      loss: 2 * Math.exp((-4 * i) / epochs) * noise(0.1),
      accuracy: 1 - 0.85 * Math.exp((-4 * i) / epochs) * noise(0.1),
      gradNorm: { mean: 0.8 * noise(0.5), largest: 2.5 * noise(0.9) },
      test: {
        loss: 0.7 + 1.2 * Math.exp((-6 * i) / epochs) * noise(0.2),
        accuracy: 0.8 - 0.6 * Math.exp((-6 * i) / epochs),
      },
      seconds: 2 * noise(0.2),
      tokensPerSecond: 110_000 * noise(0.2),
    })),
    results: {
      format: 'packed-rnn results 1',
      preset,
      settings: {
        preset,
        epochs,
        'batch-size': 256,
        vectors: null,
        seed,
        'drop-last': false,
        out: `runs/${preset}`,
      },
      machine: { cpu: 'A processor of 2 cores', threads: 2, node: 'v20.19.0', device: 'cpu' },
      classes,
      vocabularySize: 8123,
      lengths: { training: Array.from({ length: training }, length), test: truth.map(length) },
      seconds: 2 * epochs,
      test: { loss: 0.7, truth, predicted },
      mistakes: wrong.slice(0, 10).map((document, i) => ({
        ...{ document, text: texts[i]!.text, probability: 0.99999 - 0.03 * i },
        ...{ truth: classes[truth[document]!]!, predicted: classes[predicted[document]!]! },
      })),
    },
  }
}

/** Writes records like `train`. */
export async function writeRun(directory: string, { epochs, results }: InventedRun): Promise<void> {
  await writeFile(
    join(directory, 'metrics.jsonl'),
    epochs.map(epoch => `${JSON.stringify(epoch)}\n`).join(''),
  )
  await writeResults(directory, results)
}
