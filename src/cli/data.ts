import { badFile } from '../errors.js'
import type { LabelledDocuments } from '../text/batches.js'
import { type Article, readArticles } from '../text/gnad.js'
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

/** The articles of a file that has some. */
export async function articlesOf(file: string, signal?: AbortSignal): Promise<Article[]> {
  const articles = await readArticles(file, signal === undefined ? {} : { signal })
  if (articles.length === 0) throw badFile(file, null, 'at least one article', 'none')
  return articles
}
