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

  it('comes back from its classes and from its numbers', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }), labels => {
        const encoder = LabelEncoder.fit(labels)
        expect(encoder.inverse(encoder.transform(labels))).toEqual(labels)
        expect(new LabelEncoder(encoder.classes).transform(labels)).toEqual(encoder.transform(labels))
      }),
    )
  })

  it('names unknown labels and known ones', () => {
    const encoder = LabelEncoder.fit(['Web', 'Etat'])
    expect(() => encoder.transform(['Web', 'Krull', 'Brand', 'Krull'])).toThrow(
      expect.objectContaining({
        code: 'ERR_UNKNOWN_LABEL',
        message: 'LabelEncoder.transform: labels: wanted one of Etat, Web, got Krull, Brand',
      }),
    )
  })

  it('refuses no labels, a class twice and a number without a class', () => {
    expect(() => LabelEncoder.fit([])).toThrow(expect.objectContaining({ code: 'ERR_EMPTY' }))
    expect(() => new LabelEncoder(['Web', 'Web'])).toThrow('wanted distinct classes, got [Web, Web]')
    for (const number of [-1, 1, 0.5]) {
      expect(() => new LabelEncoder(['Web']).inverse([number])).toThrow(
        expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
      )
    }
  })
})
