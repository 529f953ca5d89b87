import type { Article } from '../text/gnad.js'
import { type Post, readPosts } from '../text/omp.js'
import type { Texts } from './data.js'

/** The folds to learn from and to test on; the corpus's tenth is in neither. */
export const FOLDS: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9]

/** Posts of a category that somebody has labelled. */
export interface LabelledPosts {
  posts: readonly Post[]
  /** What the file holds and what it lacks, for a person. */
  about: string
}

/** The posts of a category, in all folds. @throws PackedRnnError (rejects) as `readPosts`. */
export async function readLabelledPosts(
  file: string,
  category: string,
  signal: AbortSignal,
): Promise<LabelledPosts> {
  const all = await readPosts(file, { category, signal })
  const posts = all.filter(({ value }) => value !== null)
  const used = posts.filter(({ fold }) => FOLDS.includes(fold))
  const positive = used.filter(({ value }) => value === 1)
  const empty = used.filter(post => textOf(post).trim() === '')
  const missing = FOLDS.filter(fold => used.every(post => post.fold !== fold))
  const about = [
    `${category}: ${used.length} labelled posts in folds 1 to 9, ${positive.length} of them 1`,
    `${posts.length - used.length} in fold 10, not used`,
    `${all.length - posts.length} without a label, left out`,
    `${empty.length} without a text`,
    ...(missing.length > 0 ? [`none in fold ${missing.join(', ')}`] : []),
  ]
  return { posts, about: about.join('; ') }
}

/** Fold `fold` to test on, and the others of 1 to 9 to learn from. The categories are 0 and 1. */
export function heldOut(posts: readonly Post[], fold: number): Texts {
  const others = FOLDS.filter(other => other !== fold)
  const inFolds = (folds: readonly number[]) => posts.filter(post => folds.includes(post.fold)).map(articleOf)
  return { training: inFolds(others), test: inFolds([fold]) }
}

/** A post as articles are. */
export function articleOf(post: Post): Article {
  return { category: String(post.value), text: textOf(post) }
}

function textOf({ headline, body }: Post): string {
  return `${headline}\n${body}`
}
