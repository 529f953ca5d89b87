import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LabelEncoder } from '../../src/text/labels.js'

describe('LabelEncoder', () => {
  it('numbers sorted classes', () => {
    const encoder = LabelEncoder.fit(['Web', 'Etat', 'Web', 'Inland'])
    expect(encoder.classes).toEqual(['Etat', 'Inland', 'Web'])
    expect(encoder.transform(['Web', 'Etat'])).toEqual(Int32Array.of(2, 0))
    expect(encoder.inverse(Int32Array.of(2, 0))).toEqual(['Web', 'Etat'])
  })

  it('sorts by code point and not by UTF-16 unit', () => {
    expect(LabelEncoder.fit(['\ufffd', '😀', 'ä', 'z', 'Z', 'za']).classes).toEqual([
      'Z',
      'z',
      'za',
      'ä',
      '\ufffd',
      '😀',
    ])
  })

  it('converts to numbers and back', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }), labels => {
        const encoder = LabelEncoder.fit(labels)
        expect(encoder.inverse(encoder.transform(labels))).toEqual(labels)
        expect(new LabelEncoder(encoder.classes).transform(labels)).toEqual(encoder.transform(labels))
      }),
    )
  })

  it('lists unknown labels and all classes in the error', () => {
    const encoder = LabelEncoder.fit(['Web', 'Etat'])
    expect(() => encoder.transform(['Web', 'Krull', 'Brand', 'Krull'])).toThrow(
      expect.objectContaining({
        code: 'ERR_UNKNOWN_LABEL',
        message: 'LabelEncoder.transform: labels: wanted one of Etat, Web, got Krull, Brand',
      }),
    )
  })

  it('rejects no labels, duplicate classes and invalid numbers', () => {
    expect(() => LabelEncoder.fit([])).toThrow(expect.objectContaining({ code: 'ERR_EMPTY' }))
    expect(() => new LabelEncoder(['Web', 'Web'])).toThrow('wanted distinct classes, got [Web, Web]')
    for (const number of [-1, 1, 0.5]) {
      expect(() => new LabelEncoder(['Web']).inverse([number])).toThrow(
        expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
      )
    }
  })
})
