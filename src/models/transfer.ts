import { checkList } from '../check.js'
import { badArgument } from '../errors.js'
import type { StateEntry } from '../tensor.js'

/**
 * Returns rows for other words: of a word that the old vocabulary has, its row; of any other, the mean of the old rows, as fast.ai does
 * it (Howard and Ruder 2018). It serves word vectors [V, E], and the bias of an output layer [V].
 *
 * @param rows [V, E] or [V]
 * @param from V words, in the order of the rows; of a word that occurs twice, the first counts
 * @param to the words of the result
 * @throws PackedRnnError ERR_SHAPE if there are other numbers of words and rows; ERR_INVALID_ARGUMENT for anything but words; ERR_EMPTY
 * without a row.
 *
 * @example
 * ```ts
 * import { transferRows } from 'packed-rnn/models'
 *
 * const rows = { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }
 * const { shape, data } = transferRows(rows, ['der', 'Hund'], ['Hund', 'Mops'])
 * console.log(shape, data) // [2, 2] Float32Array(4) [3, 4, 2, 3]
 * ```
 */
export function transferRows(rows: StateEntry, from: readonly string[], to: readonly string[]): StateEntry {
  const op = 'transferRows'
  checkList(op, 'from', from, 'words')
  checkList(op, 'to', to, 'words')
  const [count = 0, ...rest] = rows.shape
  if (from.length !== count) throw badArgument(op, 'from', `${count} words`, from.length, 'ERR_SHAPE')
  if (count === 0) throw badArgument(op, 'rows', 'at least one row', rows.shape, 'ERR_EMPTY')
  const width = rows.data.length / count
  const sums = new Float64Array(width)
  for (let i = 0; i < rows.data.length; i++) sums[i % width]! += rows.data[i]!
  const mean = Float32Array.from(sums, sum => sum / count)
  const places = new Map<string, number>()
  for (const [i, word] of from.entries()) if (!places.has(word)) places.set(word, i)
  const data = new Float32Array(to.length * width)
  for (const [i, word] of to.entries()) {
    const place = places.get(word)
    data.set(place === undefined ? mean : rows.data.subarray(place * width, (place + 1) * width), i * width)
  }
  return { shape: [to.length, ...rest], data }
}
