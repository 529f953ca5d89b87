import { badArgument, PackedRnnError } from '../errors.js'
import { byCodePoint } from './codePoints.js'

/**
 * Maps class names to numbers like scikit-learn's `LabelEncoder`: names are sorted by code point. Immutable.
 * @example
 * ```ts
 * import { LabelEncoder } from 'packed-rnn/text'
 *
 * const labels = LabelEncoder.fit(['Web', 'Sport', 'Web'])
 * console.log(labels.classes) // ['Sport', 'Web']
 * console.log(labels.transform(['Web', 'Sport'])) // Int32Array(2) [1, 0]
 * console.log(labels.inverse([1])) // ['Web']
 * ```
 */
export class LabelEncoder {
  /** `classes[i]` has number `i`. */
  readonly classes: readonly string[]
  readonly #numbers: ReadonlyMap<string, number>

  /**
   * Takes the classes in a fixed order, such as a checkpoint's.
   * @throws PackedRnnError ERR_INVALID_ARGUMENT for a duplicate class.
   */
  constructor(classes: readonly string[]) {
    this.classes = [...classes]
    this.#numbers = new Map(classes.map((label, i) => [label, i]))
    if (this.#numbers.size !== classes.length) {
      throw badArgument('LabelEncoder', 'classes', 'distinct classes', classes)
    }
  }

  /** Returns an encoder for the distinct classes of `labels`. @throws PackedRnnError ERR_EMPTY without labels. */
  static fit(labels: Iterable<string>): LabelEncoder {
    const classes = [...new Set(labels)].sort(byCodePoint)
    if (classes.length === 0)
      throw new PackedRnnError('ERR_EMPTY', 'LabelEncoder.fit: labels: wanted at least one label, got none')
    return new LabelEncoder(classes)
  }

  /**
   * Returns the class number of each label.
   * @throws PackedRnnError ERR_UNKNOWN_LABEL if a label is not a class; the message lists all unknown labels and all classes.
   */
  transform(labels: readonly string[]): Int32Array {
    const unknown = new Set(labels.filter(label => !this.#numbers.has(label)))
    if (unknown.size > 0) {
      const wanted = `one of ${this.classes.join(', ')}`
      throw badArgument(
        'LabelEncoder.transform',
        'labels',
        wanted,
        [...unknown].join(', '),
        'ERR_UNKNOWN_LABEL',
      )
    }
    return Int32Array.from(labels, label => this.#numbers.get(label)!)
  }

  /** Returns the class of each number. @throws PackedRnnError ERR_OUT_OF_RANGE if a number has no class. */
  inverse(numbers: ArrayLike<number>): string[] {
    return Array.from(numbers, number => {
      const label = this.classes[number]
      if (label === undefined) {
        const wanted = `a class from 0 to ${this.classes.length - 1}`
        throw badArgument('LabelEncoder.inverse', 'numbers', wanted, number, 'ERR_OUT_OF_RANGE')
      }
      return label
    })
  }
}
