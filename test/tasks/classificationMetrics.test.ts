import { describe, expect, test } from 'vitest'
import { classificationMetrics, confusionMatrix } from '../../src/tasks/classificationMetrics.js'
import { G10 } from '../reference/golden.js'

describe('confusionMatrix', () => {
  test('rows are the true classes, columns the predicted ones', () => {
    expect(confusionMatrix(G10.truth, G10.predicted, 3)).toEqual([
      [2, 1, 0],
      [0, 2, 0],
      [1, 0, 2],
    ])
  })

  test('takes typed arrays, and no examples at all', () => {
    expect(confusionMatrix(Int32Array.of(1), Int32Array.of(0), 2)).toEqual([
      [0, 0],
      [1, 0],
    ])
    expect(confusionMatrix([], [], 1)).toEqual([[0]])
  })

  test('rejects lengths that differ, ids without a class, and a bad number of classes', () => {
    expect(() => confusionMatrix([0], [0, 1], 2)).toThrow(
      'confusionMatrix: predicted: wanted 1 class ids, as in truth, got 2',
    )
    expect(() => confusionMatrix([0, 2], [0, 1], 2)).toThrow(
      expect.objectContaining({
        code: 'ERR_OUT_OF_RANGE',
        message: 'confusionMatrix: truth[1]: wanted an integer from 0 to 1, got 2',
      }),
    )
    expect(() => confusionMatrix([0], [0.5], 2)).toThrow('predicted[0]')
    expect(() => confusionMatrix([], [], 0)).toThrow(
      'confusionMatrix: classes: wanted a positive integer up to 8192, got 0',
    )
  })
})

describe('classificationMetrics', () => {
  test('G10', () => {
    const metrics = classificationMetrics(G10.truth, G10.predicted, G10.names)
    expect(metrics.accuracy).toBe(6 / 8)
    expect(metrics.perClass).toEqual([
      { name: 'Etat', precision: 2 / 3, recall: 2 / 3, f1: 2 / 3, support: 3 },
      { name: 'Inland', precision: 2 / 3, recall: 1, f1: 0.8, support: 2 },
      { name: 'Web', precision: 1, recall: 2 / 3, f1: 0.8, support: 3 },
    ])
    expect(metrics.micro).toEqual({ precision: 0.75, recall: 0.75, f1: 0.75 })
    expect(metrics.macro.precision).toBeCloseTo((2 / 3 + 2 / 3 + 1) / 3, 14)
    expect(metrics.weighted.precision).toBeCloseTo((2 + 4 / 3 + 3) / 8, 14)
    expect(metrics.weighted.recall).toBeCloseTo(0.75, 14)
  })

  test('with a zero denominator the result is zeroDivision', () => {
    const scores = (zeroDivision: 0 | 1) =>
      classificationMetrics([0, 0], [0, 1], ['a', 'b', 'c'], { zeroDivision }).perClass.map(
        ({ precision, recall, f1 }) => [precision, recall, f1],
      )
    const a = [1, 0.5, 2 / 3]
    expect(scores(0)).toEqual([a, [0, 0, 0], [0, 0, 0]])
    expect(scores(1)).toEqual([a, [0, 1, 0], [1, 1, 1]])
  })

  test('no examples: every score is zeroDivision', () => {
    const one = { precision: 1, recall: 1, f1: 1 }
    expect(classificationMetrics([], [], ['a'], { zeroDivision: 1 })).toEqual({
      accuracy: 1,
      perClass: [{ name: 'a', ...one, support: 0 }],
      micro: one,
      macro: one,
      weighted: one,
    })
  })

  test('labels choose classes and their order; other ids still count as errors', () => {
    const metrics = classificationMetrics([0, 1, 2, 2], [0, 2, 2, 0], ['c', 'a'], { labels: [2, 0] })
    expect(metrics.accuracy).toBe(0.5)
    expect(metrics.perClass).toEqual([
      { name: 'c', precision: 0.5, recall: 0.5, f1: 0.5, support: 2 },
      { name: 'a', precision: 0.5, recall: 1, f1: 2 / 3, support: 1 },
    ])
    expect(metrics.micro).toEqual({ precision: 2 / 4, recall: 2 / 3, f1: 4 / 7 })
  })

  test('rejects an id without a name, names that do not match, and a label twice', () => {
    expect(() => classificationMetrics([0], [1], ['a'])).toThrow(
      'classificationMetrics: predicted[0]: wanted an integer from 0 to 0, got 1',
    )
    expect(() => classificationMetrics([0], [0], ['a'], { labels: [0, 1] })).toThrow(
      'classificationMetrics: names: wanted 2 names, one for each label, got 1',
    )
    expect(() => classificationMetrics([0], [0], ['a', 'b'], { labels: [1, 1] })).toThrow('distinct labels')
  })
})
