import type { LabelledDocuments } from '../text/batches.js'
import type { Article } from '../text/gnad.js'
import { encode, type Run } from '../training/run.js'

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
