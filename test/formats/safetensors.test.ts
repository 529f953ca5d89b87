import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PackedRnnError } from '../../src/errors.js'
import { type HostTensor, readSafetensors, writeSafetensors } from '../../src/formats/safetensors.js'

type Entry = HostTensor & { name: string }

const weight: Entry = {
  name: 'weight_ih_l0',
  dtype: 'float32',
  shape: [2, 3],
  data: Float32Array.of(1, -2, 0.5, Number.NaN, Number.NEGATIVE_INFINITY, -0),
}
const step: Entry = { name: 'step', dtype: 'int32', shape: [], data: Int32Array.of(-7) }

/** A file with the given header text and number of data bytes. */
function fileOf(header: string, dataBytes: number): Uint8Array {
  const json = new TextEncoder().encode(header)
  const file = new Uint8Array(8 + json.length + dataBytes)
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true)
  file.set(json, 8)
  return file
}

/** A header field; F32 by default. */
function field(name: string, shape: unknown, offsets: unknown, dtype: unknown = 'F32'): string {
  return `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: offsets })}`
}

describe('writeSafetensors', () => {
  test('header length, JSON padded to eight bytes, data in the given order', () => {
    const file = writeSafetensors([step, weight], { epoch: '3' })
    const headerBytes = Number(new DataView(file.buffer).getBigUint64(0, true))
    expect(headerBytes % 8).toBe(0)
    const header = new TextDecoder().decode(file.subarray(8, 8 + headerBytes))
    expect(header.trimEnd()).toBe(
      '{"__metadata__":{"epoch":"3"},' +
        '"step":{"dtype":"I32","shape":[],"data_offsets":[0,4]},' +
        '"weight_ih_l0":{"dtype":"F32","shape":[2,3],"data_offsets":[4,28]}}',
    )
    expect([...file.subarray(8 + headerBytes, 12 + headerBytes)]).toEqual([0xf9, 0xff, 0xff, 0xff])
    expect(file.length).toBe(8 + headerBytes + 28)
  })

  test('no tensors and no metadata: an empty object', () => {
    expect(readSafetensors(writeSafetensors([]), 'empty')).toEqual({ tensors: new Map(), metadata: {} })
  })

  test('rejects duplicate names, the reserved name, and data that does not match', () => {
    expect(() => writeSafetensors([step, step])).toThrow(
      'writeSafetensors: name: wanted distinct names other than __metadata__, got step',
    )
    expect(() => writeSafetensors([{ ...step, name: '__metadata__' }])).toThrow('distinct names')
    expect(() => writeSafetensors([{ ...step, shape: [2] }])).toThrow(
      expect.objectContaining({
        code: 'ERR_SHAPE',
        message: 'writeSafetensors: step: wanted data as long as the shape says, got 1 numbers for shape [2]',
      }),
    )
    expect(() => writeSafetensors([{ ...step, shape: [-1, -1] }])).toThrow('shape [-1,-1]')
    // @ts-expect-error the compiler rejects it too
    expect(() => writeSafetensors([{ ...step, dtype: 'float32' }])).toThrow(
      'writeSafetensors: data of step: wanted a Float32Array for float32, got Int32Array',
    )
  })
})

describe('readSafetensors', () => {
  test('reads an unaligned slice of a larger buffer into copies', () => {
    const file = writeSafetensors([weight])
    const pool = new Uint8Array(file.length + 9)
    pool.set(file, 3)
    const { tensors } = readSafetensors(pool.subarray(3, 3 + file.length), 'pool')
    pool.fill(0)
    const { name, ...content } = weight
    expect(tensors.get(name)).toEqual(content)
  })

  test('header and data may have different orders, and unknown keys are ignored', () => {
    const header = `{${field('b', [1], [4, 8], 'I32')},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"x":1}}`
    const { tensors } = readSafetensors(fileOf(header, 8), 'file')
    expect([...tensors.keys()]).toEqual(['b', 'a'])
  })

  test('tensors without elements take no space', () => {
    const header = `{${field('a', [1], [0, 4])},${field('b', [0, 3], [0, 0])},${field('c', [0], [4, 4])}}`
    const { tensors } = readSafetensors(fileOf(header, 4), 'file')
    expect(tensors.get('b')).toEqual({ dtype: 'float32', shape: [0, 3], data: new Float32Array(0) })
  })

  test('duplicate names are detected, but not in strings and nested objects', () => {
    const metadata = '"__metadata__":{"a":"\\"a\\":{","b":"\\\\"}'
    expect(readSafetensors(fileOf(`{${metadata},${field('a', [], [0, 4])}}`, 4), 'file').metadata).toEqual({
      a: '"a":{',
      b: '\\',
    })
  })

  const a = field('a', [1], [0, 4])
  test.each([
    ['nothing', new Uint8Array(0), 'wanted at least 8 bytes, got 0 bytes'],
    ['half a length', new Uint8Array(7), 'wanted at least 8 bytes, got 7 bytes'],
    [
      'a header length beyond the bound',
      Uint8Array.of(1, 0xe1, 0xf5, 5, 0, 0, 0, 0),
      'wanted a header of at most 100000000 bytes, got a header length of 100000001',
    ],
    [
      'a header length of 64 bits',
      new Uint8Array(8).fill(255),
      'wanted a header of at most 100000000 bytes, got a header length of 18446744073709552000',
    ],
    [
      'a truncated header',
      fileOf('{}      ', 0).subarray(0, 15),
      'wanted a header of 8 bytes, got a file of 15 bytes',
    ],
    ['other bytes than UTF-8', fileOf('{}', 0).fill(255, 8), 'wanted a header in UTF-8, got other bytes'],
    ['no JSON', fileOf('{"a":', 0), 'wanted a header in JSON, got '],
    ['a byte order mark', fileOf('\ufeff{}', 0), 'wanted a header in JSON, got '],
    ['a JSON array', fileOf('[]', 0), 'wanted a header that is a JSON object, got another value'],
    ['space before the header', fileOf(' {}', 0), 'wanted a header that is a JSON object'],
    ['a name twice', fileOf(`{${a},${a}}`, 4), 'wanted distinct names, got a twice'],
    [
      'a name twice, once escaped',
      fileOf(`{${a},${a.replace('a', '\\u0061')}}`, 4),
      'wanted distinct names, got a twice',
    ],
    ['metadata that is no text', fileOf('{"__metadata__":{"n":1}}', 0), 'wanted __metadata__: an object'],
    ['a tensor that is a number', fileOf('{"a":1}', 0), 'wanted tensor a: an object, got another value'],
    [
      'another dtype',
      fileOf(`{${field('a', [1], [0, 2], 'F16')}}`, 2),
      'wanted tensor a: dtype F32 or I32, got F16',
    ],
    [
      'a dtype that is no text',
      fileOf(`{${field('a', [1], [0, 4], 4)}}`, 4),
      'wanted tensor a: dtype F32 or I32',
    ],
    ['a negative size', fileOf(`{${field('a', [-1], [0, 4])}}`, 4), 'wanted tensor a: shape: an array'],
    ['no shape', fileOf(`{${field('a', null, [0, 4])}}`, 4), 'wanted tensor a: shape: an array'],
    ['one offset', fileOf(`{${field('a', [1], [4])}}`, 4), 'wanted tensor a: data_offsets: two'],
    ['a broken offset', fileOf(`{${field('a', [1], [0.5, 4.5])}}`, 5), 'wanted tensor a: data_offsets: two'],
    [
      'offsets that run backwards',
      fileOf(`{${field('a', [1], [4, 0])}}`, 4),
      'wanted tensor a: data_offsets within 4 bytes of data, got [4, 0]',
    ],
    [
      'truncated data',
      fileOf(`{${a}}`, 3),
      'wanted tensor a: data_offsets within 3 bytes of data, got [0, 4]',
    ],
    [
      'a shape that needs other bytes',
      fileOf(`{${field('a', [2, 3], [0, 4])}}`, 4),
      'wanted tensor a: 4 bytes for each number of shape [2,3], got 4 bytes',
    ],
    [
      'a shape beyond all numbers',
      fileOf(`{${field('a', Array(40).fill(2 ** 53 - 1), [0, 4])}}`, 4),
      'wanted tensor a: 4 bytes for each number',
    ],
    [
      'an overlap',
      fileOf(`{${field('a', [2], [0, 8])},${field('b', [2], [4, 12])}}`, 12),
      'wanted tensor b: data at byte 8, got an overlap: byte 4',
    ],
    [
      'a hole',
      fileOf(`{${a},${field('b', [1], [8, 12])}}`, 12),
      'wanted tensor b: data at byte 4, got a hole: byte 8',
    ],
    ['data after the last tensor', fileOf(`{${a}}`, 5), 'wanted 4 bytes of data, got 5 bytes'],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => readSafetensors(bytes, 'model.safetensors')).toThrow(
      expect.objectContaining({
        code: 'ERR_FILE_FORMAT',
        message: expect.stringContaining(`model.safetensors: ${message}`),
      }),
    )
  })

  test('deep nesting and strings of megabytes do not overflow the stack', () => {
    const deep = '['.repeat(200_000) + ']'.repeat(200_000)
    const long = 'x'.repeat(20_000_000)
    for (const value of [deep, `{"dtype":${deep}}`, `{"dtype":"F32","shape":${deep}}`]) {
      expect(() => readSafetensors(fileOf(`{"a":${value}}`, 0), 'deep')).toThrow(PackedRnnError)
    }
    const { metadata } = readSafetensors(fileOf(`{"__metadata__":{"a":"${long}"}}`, 0), 'long')
    expect(metadata.a).toHaveLength(long.length)
  })
})

describe('properties', () => {
  const shape = fc.array(fc.nat(4), { maxLength: 3 })
  const entry: fc.Arbitrary<Entry> = fc
    .record({ name: fc.string({ unit: 'binary' }), shape, float: fc.boolean() })
    .filter(({ name }) => name !== '__metadata__')
    .chain(({ name, shape, float }): fc.Arbitrary<Entry> => {
      const length = shape.reduce((total, size) => total * size, 1)
      const lengths = { minLength: length, maxLength: length }
      return float
        ? fc.float32Array(lengths).map(data => ({ name, shape, dtype: 'float32', data }))
        : fc.int32Array(lengths).map(data => ({ name, shape, dtype: 'int32', data }))
    })
  const entries = fc.uniqueArray(entry, { selector: ({ name }) => name, maxLength: 5 })
  const metadata = fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true, maxKeys: 4 })

  test('what is written is read back', () => {
    fc.assert(
      fc.property(entries, metadata, (entries, metadata) => {
        const read = readSafetensors(writeSafetensors(entries, metadata), 'file')
        expect(read.tensors).toEqual(new Map(entries.map(({ name, ...content }) => [name, content])))
        expect(read.metadata).toEqual(metadata)
      }),
      { seed: 1, numRuns: 500 },
    )
  })

  test('names like __proto__ are ordinary names', () => {
    const special = ['__proto__', 'constructor', '1', '0', ''].map(name => ({ ...step, name }))
    const { tensors } = readSafetensors(writeSafetensors(special), 'file')
    expect([...tensors.keys()].sort()).toEqual(special.map(({ name }) => name).sort())
  })

  test('damaged bytes give a file-format error or a valid file', () => {
    const flips = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    })
    fc.assert(
      fc.property(entries, metadata, flips, fc.nat(), (entries, metadata, flips, cut) => {
        const file = writeSafetensors(entries, metadata)
        for (const [at, mask] of flips) file[at % file.length]! ^= mask
        const damaged = file.subarray(0, file.length - (cut % 3))
        try {
          const { tensors } = readSafetensors(damaged, 'damaged')
          for (const { shape, data } of tensors.values()) {
            expect(data.length).toBe(shape.reduce((total, size) => total * size, 1))
          }
        } catch (error) {
          expect(error).toBeInstanceOf(PackedRnnError)
          expect(error).toMatchObject({ code: 'ERR_FILE_FORMAT' })
          expect(String(error)).toContain('damaged: ')
        }
      }),
      { seed: 1, numRuns: 3000 },
    )
  })
})
