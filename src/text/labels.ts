import { badArgument, PackedRnnError } from '../errors.js'

/** Class names and their numbers, as scikit-learn's `LabelEncoder` gives them: sorted by code point. Immutable. */
export class LabelEncoder {
  /** `classes[i]` has number `i`. */
  readonly classes: readonly string[]
  readonly #numbers: ReadonlyMap<string, number>

  /**
   * For classes in an order already settled, a checkpoint's say.
   * @throws PackedRnnError ERR_INVALID_ARGUMENT for a class that comes twice.
   */
  constructor(classes: readonly string[]) {
    this.classes = [...classes]
    this.#numbers = new Map(classes.map((label, i) => [label, i]))
    if (this.#numbers.size !== classes.length) {
      throw badArgument('LabelEncoder', 'classes', 'distinct classes', classes)
    }
  }

  /** Learns the classes of these labels. @throws PackedRnnError ERR_EMPTY if there are none. */
  static fit(labels: Iterable<string>): LabelEncoder {
    const classes = [...new Set(labels)].sort(byCodePoint)
    if (classes.length === 0)
      throw new PackedRnnError('ERR_EMPTY', 'LabelEncoder.fit: labels: wanted some, got none')
    return new LabelEncoder(classes)
  }

  /**
   * One class number a label.
   * @throws PackedRnnError ERR_UNKNOWN_LABEL, with all unknown and known ones, if a label is no class.
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

  /** The class of each number. @throws PackedRnnError ERR_OUT_OF_RANGE if one has no class. */
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

/** JavaScript sorts by UTF-16 unit, which puts U+1F600 before U+FFFD; the order of UTF-8 bytes is by code point. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
