import type { Article } from '../text/gnad.js'
import { type Post, readPosts } from '../text/omp.js'
import type { Texts } from './data.js'

/** The folds to learn from and to test on; the corpus's tenth is in neither. */
export const FOLDS: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9]

/** Posts of a category that somebody has labelled, in the folds that are used. */
export interface LabelledPosts {
  posts: readonly Post[]
  /** What the file holds and what it lacks, for a person. */
  about: string
}

/** The labelled posts of a category in folds 1 to 9. @throws PackedRnnError (rejects) as `readPosts`. */
export async function readLabelledPosts(
  file: string,
  category: string,
  signal: AbortSignal,
): Promise<LabelledPosts> {
  const all = await readPosts(file, { category, signal })
  const labelled = all.filter(({ value }) => value !== null)
  const posts = labelled.filter(({ fold }) => FOLDS.includes(fold))
  const positive = posts.filter(({ value }) => value === 1)
  const empty = posts.filter(post => textOf(post).trim() === '')
  const missing = FOLDS.filter(fold => posts.every(post => post.fold !== fold))
  const about = [
    `${category}: ${posts.length} labelled posts in folds 1 to 9, ${positive.length} of them 1`,
    `${labelled.length - posts.length} in fold 10, not used`,
    `${all.length - labelled.length} without a label, left out`,
    `${empty.length} without a text`,
    ...(missing.length > 0 ? [`none in fold ${missing.join(', ')}`] : []),
  ]
  return { posts, about: about.join('; ') }
}

/** Fold `fold` to test on, and the others to learn from. The categories are 0 and 1. */
export function heldOut(posts: readonly Post[], fold: number): Texts {
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
