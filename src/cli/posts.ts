import { badArgument, PackedRnnError } from '../errors.js'
import type { Article } from '../text/gnad.js'
import { foldsOf, type Post, readPosts } from '../text/omp.js'
import type { Texts } from './data.js'

/** The labelled posts of a category. */
export interface LabelledPosts {
  /** The file they were read from. */
  file: string
  posts: readonly Post[]
  /** The folds that they are in, in ascending order. */
  folds: readonly number[]
  /** A summary of the file for the user. */
  about: string
}

/**
 * Reads the labelled posts of a category.
 * @throws PackedRnnError (rejects) as `readPosts`; ERR_EMPTY if none is labelled.
 */
export async function readLabelledPosts(
  file: string,
  category: string,
  signal: AbortSignal,
): Promise<LabelledPosts> {
  const all = await readPosts(file, { category, signal })
  const posts = all.filter(({ value }) => value !== null)
  if (posts.length === 0) {
    throw new PackedRnnError('ERR_EMPTY', `${file}: contains no labelled posts of ${category}`)
  }
  const folds = foldsOf(posts)
  const positive = posts.filter(({ value }) => value === 1)
  const empty = posts.filter(post => textOf(post).trim() === '')
  const about = [
    `${category}: ${posts.length} labelled posts in folds ${folds.join(', ')}, ${positive.length} of them 1`,
    `${all.length - posts.length} without a label, left out`,
    `${empty.length} without a text`,
  ]
  return { file, posts, folds, about: about.join('; ') }
}

/**
 * The posts of fold `fold` as test documents, and those of the other folds as training documents. The categories are 0 and 1.
 * @throws PackedRnnError ERR_OUT_OF_RANGE if the file has no such fold.
 */
export function heldOut({ file, posts, folds }: LabelledPosts, fold: number): Texts {
  if (!folds.includes(fold)) {
    throw badArgument(file, 'fold', `one of ${folds.join(', ')}`, fold, 'ERR_OUT_OF_RANGE')
  }
  const articles = (held: boolean) => posts.filter(post => (post.fold === fold) === held).map(articleOf)
  return { training: articles(false), test: articles(true) }
}

/** A post as articles are. */
export function articleOf(post: Post): Article {
  return { category: String(post.value), text: textOf(post) }
}

function textOf({ headline, body }: Post): string {
  return `${headline}\n${body}`
}
