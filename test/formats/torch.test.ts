import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { readPickle, readTorch } from '../../src/formats/index.js'
import {
  call,
  dict,
  int,
  list,
  little,
  NONE,
  named,
  persistent,
  pickle,
  storage,
  tar,
  tensor,
  text,
  tuple,
  zip,
} from '../reference/pickle.js'

const fixture = (name: string) => readFileSync(new URL(`../fixtures/torch/${name}.pt`, import.meta.url))
const numbers = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer)

/** A file of PyTorch since 1.6. */
const zipped = (value: Buffer, storages: Record<string, Buffer> = {}) => {
  const data = Object.entries(storages).map(([key, bytes]) => [`archive/data/${key}`, bytes])
  return zip({ 'archive/data.pkl': pickle(value), ...Object.fromEntries(data) })
}

/** A file of PyTorch 0.1.9 to 1.5. */
const MAGIC = Buffer.from('8a0a6cfc9c46f9206aa85019', 'hex')
const legacy = (value: Buffer, storages: Record<string, Buffer> = {}) =>
  Buffer.concat([
    ...[MAGIC, int(1001), dict({})].map(pickle),
    pickle(value),
    pickle(list(...Object.keys(storages).map(text))),
    ...Object.values(storages).flatMap(bytes => [little(bytes.length / 4, 8), bytes]),
  ])

describe('files that PyTorch 1.13 wrote', () => {
  test.each(['zip', 'legacy'] as const)('%s', format => {
    const found = readTorch(fixture(format), 'file.pt')
    expect(found.format).toBe(format)
    const { tensors, values } = found
    const weight = Float32Array.of(0, 0.25, 0.5, 0.75, 1, 1.25)
    const tied = Object.fromEntries([...tensors].filter(([name]) => name.startsWith('tied.')))
    expect(tied).toEqual({
      'tied.encoder': { dtype: 'float32', shape: [2, 3], data: weight },
      'tied.decoder': { dtype: 'float32', shape: [2, 3], data: weight },
      'tied.columns': { dtype: 'float32', shape: [3, 2], data: Float32Array.of(0, 0.75, 0.25, 1, 0.5, 1.25) },
      'tied.row': { dtype: 'float32', shape: [3], data: Float32Array.of(0.75, 1, 1.25) },
    })
    expect(tied['tied.decoder']).toBe(tied['tied.encoder'])
    expect(tied['tied.row']!.data.buffer).toBe(tied['tied.encoder']!.data.buffer)
    // Adam's first step takes 0.5 from every number.
    const moved = weight.map(x => x - 0.5)
    for (const name of ['model.weight', 'parameter']) {
      for (const [i, x] of tensors.get(name)!.data.entries()) expect(x).toBeCloseTo(moved[i]!, 6)
    }
    expect([...tensors.get('opt.state.0.step')!.data]).toEqual([1])
    expect(tensors.get('opt.state.0.exp_avg')!.shape).toEqual([2, 3])
    const listed = [...tensors].filter(([name]) => name.startsWith('numbers.')).map(([, { data }]) => data)
    expect(listed).toEqual([
      ...[0, 1, 2].map(() => Float32Array.of(1.5, -2)),
      ...[0, 1].map(() => Int32Array.of(1, 0, 2 ** 31 - 1)),
      ...[0, 1, 2].map(() => Int32Array.of(1, 0, 100)),
      Int32Array.of(1, 0),
    ])
    expect(tensors.get('scalar')).toEqual({ dtype: 'float32', shape: [], data: Float32Array.of(7) })
    expect(tensors.get('empty')).toEqual({ dtype: 'float32', shape: [0, 4], data: new Float32Array() })
    expect(Object.fromEntries(values)).toMatchObject({
      ...{ 'words.0': 'xxunk', 'words.1': 'Straße', epoch: 3, done: false, best: null },
      ...{ 'size.0': 2, 'size.1': 3, 'opt.param_groups.0.lr': 0.5, 'opt.param_groups.0.betas.1': 0.999 },
    })
  })

  test('a whole module is rejected, and its class is named', () => {
    expect(() => readTorch(fixture('module'), 'module.pt')).toThrow(
      /^module\.pt: wanted no classes or functions but collections\.OrderedDict, .*, got torch\.nn\.modules\.linear\.Linear$/,
    )
  })
})

test.each([
  ['', text('a'), text('7')],
  // Python 2 writes addresses as lines of text.
  [', of a GPU, by Python 2', Buffer.from('I140183950203232\n'), Buffer.from('I140183950209999\n')],
])('the archives of PyTorch before 0.1.9%s', (about, a, seven) => {
  const module = about === '' ? 'torch' : 'torch.cuda'
  const ofStorage = tuple(a, text('cpu'), named(module, 'FloatStorage'))
  const ofTensor = tuple(seven, a, named(module, 'FloatTensor'))
  // Two dimensions, after them bytes that mean nothing; their sizes and strides, and the offset.
  const view = [2n + (12345n << 40n), 1, 3, 3, 1, 1].map(n => little(n, 8))
  const file = tar({
    sys_info: pickle(dict({})),
    storages: Buffer.concat([
      pickle(int(1)),
      pickle(ofStorage),
      little(4, 8),
      numbers(1, 2, 3, 4),
      pickle(list()),
    ]),
    tensors: Buffer.concat([pickle(int(1)), pickle(ofTensor), ...view]),
    pickle: pickle(dict({ weight: persistent(seven) })),
  })
  const { format, tensors } = readTorch(file, 'old.pt')
  expect(format).toBe('tar')
  expect(tensors.get('weight')).toEqual({ dtype: 'float32', shape: [1, 3], data: Float32Array.of(2, 3, 4) })
})

test('a ZIP archive of more than 4 GiB has its sizes elsewhere', () => {
  const vector = tensor(storage('FloatStorage', '0', 2), 0, [2], [1])
  const file = zip({ 'a/data.pkl': pickle(vector), 'a/data/0': numbers(1, 2) }, true)
  expect(readTorch(file, 'file.pt').tensors.get('')!.data).toEqual(Float32Array.of(1, 2))
})

test('a transposed tensor may begin within its storage', () => {
  const file = zipped(tensor(storage('FloatStorage', '0', 7), 1, [2, 3], [1, 2]), {
    0: numbers(0, 1, 2, 3, 4, 5, 6),
  })
  const found = readTorch(file, 'file.pt').tensors.get('')
  expect(found).toEqual({ dtype: 'float32', shape: [2, 3], data: Float32Array.of(1, 3, 5, 2, 4, 6) })
})

describe('a file that is invalid', () => {
  const two = storage('FloatStorage', '0', 2)
  const vector = tensor(two, 0, [2], [1])
  const whole = zipped(vector, { 0: numbers(1, 2) })
  const compressed = Buffer.from(whole)
  compressed[compressed.indexOf('PK\x01\x02') + 10] = 8
  const big = zip({ 'a/data.pkl': pickle(dict({})), 'a/byteorder': Buffer.from('big') })
  // Each list holds the previous one twice.
  const doubled = Buffer.concat([
    Buffer.of(0x5d),
    ...Array.from({ length: 40 }, () => Buffer.of(0x71, 0, 0x30, 0x5d, 0x28, 0x68, 0, 0x68, 0, 0x65)),
  ])
  /** A value that doubles its size with every eleven bytes, as what follows it needs it: a key, an argument. */
  const doubledBy = (use: Buffer) => Buffer.concat([doubled, use])
  const overlapping = Buffer.from(
    zip({ 'a/data.pkl': pickle(NONE), 'a/data/0': Buffer.alloc(4000), 'a/data/1': Buffer.alloc(0) }),
  )
  const second = overlapping.lastIndexOf('PK\x01\x02')
  overlapping.copy(
    overlapping,
    second + 20,
    overlapping.lastIndexOf('PK\x01\x02', second - 1) + 20,
    overlapping.lastIndexOf('PK\x01\x02', second - 1) + 28,
  )
  overlapping.copy(
    overlapping,
    second + 42,
    overlapping.lastIndexOf('PK\x01\x02', second - 1) + 42,
    overlapping.lastIndexOf('PK\x01\x02', second - 1) + 46,
  )
  const rank = Buffer.alloc(2 * 65, Buffer.of(0x4b, 0))
  const flat = Buffer.concat([Buffer.of(0x28), rank, Buffer.of(0x74)])
  const deep = Buffer.concat([
    ...[
      named('torch._utils', '_rebuild_tensor'),
      Buffer.of(0x28),
      persistent(two),
      int(0),
      flat,
      flat,
      Buffer.of(0x74, 0x52),
    ],
  ])
  const long = dict({
    ['k'.repeat(50_000)]: Buffer.concat([Buffer.of(0x5d, 0x28), Buffer.alloc(50_000, 0x4e), Buffer.of(0x65)]),
  })
  test.each<[string, Buffer, string]>([
    [
      'with a list as a key',
      zipped(Buffer.concat([Buffer.of(0x7d), doubledBy(int(1)), Buffer.of(0x73)])),
      'wanted keys that are strings or numbers, got object',
    ],
    [
      'with a list as a class',
      zipped(Buffer.concat([doubledBy(text('x')), Buffer.of(0x93)])),
      'wanted the name of a class, got string',
    ],
    ['with entries that overlap', overlapping, 'wanted entries that do not overlap, got a/data/1'],
    ['of many dimensions', zipped(deep, { 0: numbers(1, 2) }), 'wanted at most 64 dimensions, got 65'],
    ['of long names', zipped(long), 'wanted fewer dicts in dicts'],
    [
      'with a negated tensor',
      zipped(
        call(
          named('torch._utils', '_rebuild_tensor_v2'),
          persistent(two),
          int(0),
          tuple(int(2)),
          tuple(int(1)),
          NONE,
          dict({}),
          dict({ neg: int(1) }),
        ),
        { 0: numbers(1, 2) },
      ),
      'wanted plain tensors, got a tensor with marks',
    ],
    ['of nothing', Buffer.alloc(0), 'wanted a whole pickle, got its end at byte 0'],
    [
      'of text',
      Buffer.from('hello, world'),
      'wanted a pickle of protocol 2 to 5, got the opcode 0x68 at byte 0',
    ],
    ['of another pickle', pickle(int(3)), 'wanted a file of torch.save, got another pickle'],
    [
      'that runs a command',
      zipped(call(named('os', 'system'), text('true'))),
      'wanted no classes or functions but ',
    ],
    [
      'that builds an object',
      zipped(Buffer.concat([int(1), dict({}), Buffer.of(0x62)])),
      'wanted no attributes',
    ],
    ['with an unknown storage', zipped(tensor(storage('Storage', '0', 2), 0, [2], [1])), 'wanted no classes'],
    ['without numbers', zipped(vector), 'wanted 8 bytes of storage 0, got none'],
    ['with too few numbers', zipped(vector, { 0: numbers(1) }), 'wanted 8 bytes of storage 0, got 4'],
    [
      'that is cut',
      legacy(vector, { 0: numbers(1, 2) }).subarray(0, -1),
      'wanted 2 numbers, got the end of the file',
    ],
    ['of another count', legacy(vector, { 0: numbers(1) }), 'wanted a storage of 2 numbers, got 1'],
    ['with a key of nothing', legacy(NONE, { 9: numbers(1) }), 'wanted keys of storages, got 9'],
    ['without a storage', legacy(vector), 'wanted the numbers of storage 0, got none'],
    [
      'with a tensor beyond its storage',
      zipped(tensor(two, 1, [2], [1]), { 0: numbers(1, 2) }),
      'got number 2 of a storage of 2',
    ],
    [
      'with a tensor larger than its storage',
      zipped(tensor(two, 0, [9999], [0]), { 0: numbers(1, 2) }),
      'got 9999 numbers of a storage of 2',
    ],
    [
      'with a negative stride',
      zipped(tensor(two, 1, [2], [-1]), { 0: numbers(1, 2) }),
      'got sizes and strides that are not',
    ],
    ['of more names than bytes', zipped(doubled), 'wanted fewer dicts in dicts'],
    [
      'within itself',
      zipped(Buffer.concat([Buffer.of(0x5d, 0x71, 0, 0x28, 0x68, 0, 0x65)])),
      'wanted fewer dicts in dicts',
    ],
    [
      'with a name twice',
      zipped(dict({ 'a.b': int(1), a: dict({ b: int(2) }) })),
      'wanted distinct names, got a.b',
    ],
    ['of big-endian numbers', big, 'wanted numbers in little-endian order, got big'],
    ['with compressed entries', compressed, 'wanted entries that are not compressed, got archive/data.pkl'],
    [
      'of a ZIP archive without a directory',
      whole.subarray(0, -22),
      'wanted a ZIP archive, got no directory',
    ],
    [
      'of a tar archive without tensors',
      tar({ pickle: pickle(NONE) }),
      'wanted an archive of torch.save with storages, got none',
    ],
  ])('%s is rejected', (_, file, message) => {
    expect(() => readTorch(file, 'file.pt')).toThrow(
      `file.pt: ${message.startsWith('got') ? 'wanted tensors within their storage, ' : ''}${message}`,
    )
  })

  test('every prefix of a file, and a file with any byte changed, is read or rejected', () => {
    for (const file of [legacy(dict({ a: vector }), { 0: numbers(1, 2) }), whole]) {
      for (let i = 0; i < file.length; i++) {
        for (const bytes of [file.subarray(0, i), Buffer.from(file).fill(file[i]! ^ 0xff, i, i + 1)]) {
          try {
            readTorch(bytes, 'file.pt')
          } catch (error) {
            expect(error).toMatchObject({
              message: expect.stringMatching(/^file\.pt: wanted /),
            })
          }
        }
      }
    }
  })

  test('views that would need much more memory than the file are rejected', () => {
    const matrix = storage('FloatStorage', '0', 10_000)
    const views = Array.from({ length: 99 }, (_, i) => tensor(matrix, i, [90, 90], [1, 100]))
    const file = zipped(list(...views), { 0: numbers(...new Float32Array(10_000)) })
    expect(() => readTorch(file, 'file.pt')).toThrow(
      'file.pt: wanted fewer transposed tensors, got the shape [90,90]',
    )
  })

  test('an integer of 64 bits is an error', () => {
    const file = zipped(tensor(storage('LongStorage', '0', 1), 0, [1], [1]), { 0: little(2 ** 40, 8) })
    expect(() => readTorch(file, 'file.pt')).toThrow(
      'file.pt: wanted integers of at most 32 bits in , got 1099511627776',
    )
  })
})

describe('a pickle of plain values', () => {
  // pickle.dumps([(1, -2, 1 << 70), {'a': {'ä'}}, b'z', 0.5, None, True, 'xxx', (), 300, 70000], protocol)
  const start = '5d7100284b014afeffffff8a0900000000000000004087'
  const framed =
    '9547000000000000005d94284b014afeffffff8a0900000000000000004087947d948c0161948f94288c02c3a494907343017a94'
  const written = {
    2: `${start}71017d71025801000000617103635f5f6275696c74696e5f5f0a7365740a71045d71055802000000c3a471066185710752710873635f636f646563730a656e636f64650a710958010000007a710a58060000006c6174696e31710b86710c52710d473fe00000000000004e885803000000787878710e294d2c014a70110100652e`,
    3: `${start}71017d71025801000000617103636275696c74696e730a7365740a71045d71055802000000c3a47106618571075271087343017a7109473fe00000000000004e885803000000787878710a294d2c014a70110100652e`,
    4: `${framed}473fe00000000000004e888c0378787894294d2c014a70110100652e`,
  }
  test.each(Object.entries(written))('of protocol %s', (protocol, rest) => {
    const bytes = Buffer.from(`800${protocol}${rest}`, 'hex')
    const found = readPickle(bytes, 'x.pkl')
    const dict = new Map([['a', new Set(['ä'])]])
    const values = [[1, -2, 2n ** 70n], dict, Uint8Array.of(0x7a), 0.5, null, true, 'xxx', [], 300, 70000]
    expect(Array.isArray(found) && found.map(v => (v instanceof Uint8Array ? new Uint8Array(v) : v))).toEqual(
      values,
    )
  })

  test('a text that is copied again and again is rejected', () => {
    const copied = Buffer.concat([
      ...[
        text('x'.repeat(100_000)),
        Buffer.of(0x71, 0, 0x30),
        named('_codecs', 'encode'),
        Buffer.of(0x71, 1, 0x30),
      ],
      ...Array.from({ length: 300 }, () => Buffer.of(0x68, 1, 0x68, 0, 0x85, 0x52, 0x30)),
      NONE,
    ])
    expect(() => readPickle(pickle(copied), 'x.pkl')).toThrow('x.pkl: wanted fewer dicts and calls')
  })

  test('functions are rejected', () => {
    expect(() => readPickle(pickle(call(named('builtins', 'eval'), text('1'))), 'x.pkl')).toThrow(
      /^x\.pkl: wanted no classes or functions but collections\.OrderedDict, .*, got builtins\.eval$/,
    )
  })
})
