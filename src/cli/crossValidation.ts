import { join } from 'node:path'
import { writeWhole } from '../formats/stateDict.js'
import { formatFixed } from '../training/format.js'
import { classificationMetrics } from '../training/metrics.js'
import { readRunRecords } from '../training/records.js'
import { readVectors } from './data.js'
import { newDirectory, openSeries } from './directory.js'
import { articleOf, FOLDS, heldOut, readLabelledPosts } from './posts.js'
import { trainSeries } from './series.js'
import { aligned } from './table.js'
import type { Command, PostSource } from './trainOptions.js'
import type { Context } from './trainRun.js'

/** F1 of an LSTM over these folds, as the corpus's authors published it (Schabus, Skowron, Trapp, SIGIR 2017). */
const PUBLISHED = new Map([
  ['PersonalStories', 0.652],
  ['PossiblyFeedback', 0.63],
])

/** Trains on all folds of posts but one, for each fold, and prints what class 1 comes to. */
export async function crossValidate(
  source: PostSource,
  { options, args }: Command,
  context: Context,
): Promise<void> {
  const { category, train } = source
  const { signal, say } = context
  const directory = options.out ?? (await newDirectory(category))
  await openSeries(directory, { command: 'train', args })
  const { posts, about } = await readLabelledPosts(train, category, signal)
  say(about)
  const folds = FOLDS.filter(fold => posts.some(post => post.fold === fold))
  const vectors = await readVectors(options, posts.map(articleOf), signal, say)
  const members = folds.map(fold => ({
    name: `fold-${fold}`,
    args: [...args, '--fold', String(fold)],
    corpus: { ...heldOut(posts, fold), vectors },
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
  const rows = await Promise.all(
    directories.map(async directory => {
      const { lengths, classes, test } = (await readRunRecords(directory)).results
      const { perClass } = classificationMetrics(test.truth, test.predicted, classes)
      const { precision, recall, f1 } = perClass.find(({ name }) => name === '1')!
      return { documents: [lengths.training.length, lengths.test.length], scores: [precision, recall, f1] }
    }),
  )
  const mean = [0, 1, 2].map(k => rows.reduce((sum, { scores }) => sum + scores[k]!, 0) / rows.length)
  const show = (scores: readonly number[]) => scores.map(score => formatFixed(score, 3))
  const published = PUBLISHED.get(category)
  return aligned([
    ['fold', 'training', 'test', 'precision', 'recall', 'F1'],
    ...rows.map(({ documents, scores }, i) => [String(folds[i]), ...documents.map(String), ...show(scores)]),
    ['mean', '', '', ...show(mean)],
    ...(published === undefined ? [] : [['published LSTM', '', '', '', '', formatFixed(published, 3)]]),
  ])
}
