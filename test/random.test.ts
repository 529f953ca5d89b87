import { describe, expect, test } from 'vitest'
import { Generator, philox } from '../src/random.js'

describe('philox', () => {
  /** Known answers of the Random123 library for Philox4x32-10. */
  test.each([
    [0, 0, [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
    [0xffffffff, 0xffffffff, [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
  ])('known answers: key %i, counter %i', (key, counter, expected) => {
    expect(philox([key, key], [counter, counter, counter, counter])).toEqual(expected)
  })

  test('known answer: the digits of π', () => {
    const counter = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344] as const
    expect(philox([0xa4093822, 0x299f31d0], counter)).toEqual([
      0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1,
    ])
  })
})

describe('Generator', () => {
  const take = (generator: Generator, count: number) => Array.from({ length: count }, () => generator.bits())

  test('the same seed and stream produce the same numbers, and others produce different ones', () => {
    const expected = take(new Generator(7), 9)
    expect(take(new Generator(7), 9)).toEqual(expected)
    for (const other of [new Generator(8), new Generator(7, 1), new Generator(7 + 2 ** 32)]) {
      expect(take(other, 9).filter(bits => expected.includes(bits))).toEqual([])
    }
  })

  test('uniform and normal numbers have the right moments within 4 sigma', () => {
    const generator = new Generator(1)
    const count = 100_000
    const mean = (draw: () => number) => {
      let total = 0
      for (let i = 0; i < count; i++) total += draw()
      return total / count
    }
    const near = (actual: number, expected: number, deviation: number) =>
      expect(Math.abs(actual - expected)).toBeLessThan((4 * deviation) / Math.sqrt(count))
    near(
      mean(() => generator.uniform(-1, 3)),
      1,
      4 / Math.sqrt(12),
    )
    near(
      mean(() => generator.normal()),
      0,
      1,
    )
    near(
      mean(() => generator.normal() ** 2),
      1,
      Math.SQRT2,
    )
    near(
      mean(() => (generator.below(3) === 2 ? 1 : 0)),
      1 / 3,
      Math.sqrt(2) / 3,
    )
  })

  test('uniform numbers stay below the upper end', () => {
    const generator = new Generator(2)
    for (let i = 0; i < 1000; i++) {
      const value = generator.uniform(2, 3)
      expect(value >= 2 && value < 3).toBe(true)
    }
  })

  test('shuffling keeps the items, and every order is equally likely', () => {
    const generator = new Generator(3)
    const counts = new Map<string, number>()
    for (let i = 0; i < 6000; i++) {
      const order = generator.shuffle([1, 2, 3]).join('')
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    expect([...counts.keys()].sort()).toEqual(['123', '132', '213', '231', '312', '321'])
    // 4 sigma of a binomial: 6,000 times, probability 1/6.
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(116)
  })

  test('rejects a seed that is not a safe integer, and an empty range', () => {
    expect(() => new Generator(-1)).toThrow('Generator: seed: wanted an integer from 0 to 2^53 - 1, got -1')
    expect(() => new Generator(2 ** 53)).toThrow('seed')
    expect(() => new Generator(1).below(0)).toThrow('Generator.below: n')
  })
})
