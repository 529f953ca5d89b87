/** Pickles of plain values. */
import { type PickleRules, readStream } from './pickleReader.js'

/** Plain values, and the calls that old protocols use for sets and bytes. */
const PLAIN: PickleRules = {
  calls: {
    'collections.OrderedDict': orderedDict,
    'builtins.set': setOf,
    '__builtin__.set': setOf,
    'builtins.frozenset': setOf,
    '__builtin__.frozenset': setOf,
    '__builtin__.bytes': () => new Uint8Array(),
    '_codecs.encode': ([text]) => Buffer.from(typeof text === 'string' ? text : '', 'latin1'),
  },
  values: new Set(),
  persistent: () => undefined,
}

/** `OrderedDict()` or `OrderedDict([(key, value), …])`. */
export function orderedDict(args: readonly unknown[]): Map<unknown, unknown> {
  const made = new Map<unknown, unknown>()
  const [pairs] = args
  if (!Array.isArray(pairs)) return made
  for (const pair of pairs) if (Array.isArray(pair)) made.set(pair[0], pair[1])
  return made
}

/** Sets, as protocols before 4 write them. */
function setOf([items]: readonly unknown[]): Set<unknown> {
  return new Set(Array.isArray(items) ? items : [])
}

/**
 * Reads a pickle of lists, tuples, dicts, sets, strings, bytes and numbers, such as a vocabulary. Nothing in the file is
 * executed: a class or a function other than `OrderedDict` and `set` is an error that names it.
 *
 * @param bytes the whole file
 * @param file its name, for error messages
 * @returns lists and tuples as arrays, dicts as maps, sets as sets, bytes as `Uint8Array`s; integers outside of ±2⁵³ as
 * bigints
 * @throws PackedRnnError ERR_FILE_FORMAT for another class, and for a stream that is cut or of another protocol than 2 to 5
 * @example
 * ```ts
 * import { readPickle } from 'packed-rnn/formats'
 *
 * const bytes = Buffer.from('80035d7100285805000000785f756e6b71015804000000776f72647102652e', 'hex')
 * console.log(readPickle(bytes, 'words.pkl')) // ['x_unk', 'word']
 * ```
 */
export function readPickle(bytes: Uint8Array, file: string): unknown {
  return readStream(bytes, 0, PLAIN, file).value
}
