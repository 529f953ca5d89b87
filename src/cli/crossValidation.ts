import { join } from 'node:path'
import { writeWhole } from '../files/write.js'
import { classificationMetrics } from '../tasks/classificationMetrics.js'
import { type RunResults, readRunRecords } from '../tasks/classificationResults.js'
import { formatFixed } from '../training/format.js'
import type { Command } from './commandLine.js'
import { readVectors } from './data.js'
import { newDirectory, openSeries } from './directory.js'
import { articleOf, heldOut, readLabelledPosts } from './posts.js'
import { trainSeries } from './series.js'
import { aligned } from './table.js'
import type { PostSource, TrainOptions } from './trainOptions.js'
import type { Context } from './trainRun.js'

/**
 * Precision, recall and F1 of the LSTM of the corpus's authors (Schabus, Skowron, Trapp, SIGIR 2017; their repository has
 * the table): over ten folds, all predictions together.
 */
const PUBLISHED = new Map([
  ['PersonalStories', [0.638, 0.6658, 0.6516]],
  ['PossiblyFeedback', [0.6307, 0.6287, 0.6297]],
])

/** Trains on all folds of posts but one, for each fold, and prints what class 1 comes to. */
export async function crossValidate(
  source: PostSource,
  { options, args }: Command<TrainOptions>,
  context: Context,
): Promise<void> {
  const { category, train } = source
  const { signal, say } = context
  const directory = options.out ?? (await newDirectory(category))
  await openSeries(directory, { command: 'train', args })
  const labelled = await readLabelledPosts(train, category, signal)
  const { posts, folds, about } = labelled
  say(about)
  const vectors = await readVectors(options, posts.map(articleOf), signal, say)
  const members = folds.map(fold => ({
    name: `fold-${fold}`,
    args: [...args, '--fold', String(fold)],
    corpus: { ...heldOut(labelled, fold), vectors },
  }))
  const directories = await trainSeries(directory, 'train', members, context)
  const summary = `${await summaryOf(directories, folds, category)}\n\n${about}\n`
  await writeWhole(join(directory, 'summary.txt'), Buffer.from(summary))
  process.stdout.write(summary)
}

async function summaryOf(
  directories: readonly string[],
  folds: readonly number[],
  category: string,
): Promise<string> {
  const runs = await Promise.all(
    directories.map(async directory => (await readRunRecords(directory)).results),
  )
  const classes = runs[0]!.classes
  const scoresOf = (tests: readonly RunResults['test'][]) => {
    const [truth, predicted] = [tests.flatMap(test => test.truth), tests.flatMap(test => test.predicted)]
    const { perClass } = classificationMetrics(truth, predicted, classes)
    const { precision, recall, f1 } = perClass.find(({ name }) => name === '1')!
    return [precision, recall, f1]
  }
  const scores = runs.map(({ test }) => scoresOf([test]))
  const mean = [0, 1, 2].map(k => scores.reduce((sum, score) => sum + score[k]!, 0) / scores.length)
  const show = (numbers: readonly number[]) => numbers.map(number => formatFixed(number, 3))
  const published = PUBLISHED.get(category)
  return aligned([
    ['fold', 'training', 'test', 'precision', 'recall', 'F1'],
    ...runs.map(({ lengths: { training, test } }, i) => {
      return [String(folds[i]), String(training.length), String(test.length), ...show(scores[i]!)]
    }),
    ['mean', '', '', ...show(mean)],
    ['all predictions together', '', '', ...show(scoresOf(runs.map(({ test }) => test)))],
    ...(published === undefined ? [] : [['published LSTM, together', '', '', ...show(published)]]),
  ])
}
