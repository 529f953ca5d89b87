import { writeFile } from 'node:fs/promises'
import type { Article } from '../../src/text/gnad.js'
import { tokenizers } from '../../src/text/tokenize.js'

/**
 * Writes vectors of four numbers for the words of some articles. A model over them has a hundredth of the parameters of one over the
 * command's 300: a checkpoint is small, and an epoch short.
 */
export async function writeTinyVectors(file: string, articles: readonly Article[]): Promise<void> {
  const words = [...new Set(articles.flatMap(({ text }) => tokenizers.whitespace(text)))]
  const rows = words.map(
    (word, i) => `${word} ${[1, 2, 3, 4].map(k => Math.sin(i * k).toFixed(4)).join(' ')}\n`,
  )
  await writeFile(file, `${rows.length} 4\n${rows.join('')}`)
}
