import { encode, type Run } from '../tasks/classifierRun.js'
import type { LabelledDocuments } from '../text/batches.js'
import { type Article, readArticles } from '../text/gnad.js'
import { inventArticles } from '../text/invented.js'
import { tokenizers } from '../text/tokenize.js'
import { readWordVectors } from '../text/vectors.js'
import type { WordVectors } from '../text/vectorTable.js'
import type { ArticleSource, TrainOptions } from './trainOptions.js'

/** Texts to learn from, and others to test on. */
export interface Texts {
  training: readonly Article[]
  test: readonly Article[]
}

/** All that a run reads. */
export interface Corpus extends Texts {
  /** Of the words that the texts have; null where none are given. */
  vectors: WordVectors | null
}

/** Articles invented where none are given. */
const INVENTED = { train: 2000, test: 500 }

/** Training and test articles from their files, or invented ones. */
export async function readTexts(
  source: ArticleSource,
  { dialect }: Pick<TrainOptions, 'dialect'>,
  signal: AbortSignal,
): Promise<Texts> {
  if (source.format === 'invented') {
    return { training: inventArticles(INVENTED.train, 1), test: inventArticles(INVENTED.test, 2) }
  }
  const [training, test] = await Promise.all([
    readArticles(source.train, { dialect, signal }),
    readArticles(source.test, { dialect, signal }),
  ])
  return { training, test }
}

/** The given vectors of all words of some texts that have one; null where no vectors are given. */
export async function readVectors(
  { vectors, tokenizer }: Pick<TrainOptions, 'vectors' | 'tokenizer'>,
  texts: readonly Article[],
  signal: AbortSignal,
  onWarning: (text: string) => void,
): Promise<WordVectors | null> {
  if (vectors === undefined) return null
  const { file, ...rows } = vectors
  const keep = new Set(texts.flatMap(({ text }) => tokenizers[tokenizer](text)))
  return readWordVectors(file, { ...rows, keep, signal, onWarning })
}

/** Articles as a run's model takes them. @throws PackedRnnError ERR_UNKNOWN_LABEL for a category it does not know. */
export function encodeArticles(
  run: Pick<Run, 'tokenizer' | 'vocabulary' | 'labels'>,
  articles: readonly Article[],
): LabelledDocuments {
  return {
    documents: articles.map(({ text }) => encode(run, text)),
    labels: run.labels.transform(articles.map(({ category }) => category)),
  }
}
