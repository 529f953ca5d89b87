import { expect, test } from 'vitest'
import { classificationMetrics } from '../../src/tasks/classificationMetrics.js'
import { classificationReport } from '../../src/tasks/classificationReport.js'
import { G10 } from '../reference/golden.js'

test('G10, to the byte', () => {
  expect(classificationReport(G10.truth, G10.predicted, G10.names)).toBe(G10.report)
})

test('labels that leave a class out: micro avg stands for accuracy', () => {
  expect(classificationReport(G10.truth, G10.predicted, ['Web', 'Etat'], { labels: [2, 0] })).toBe(`\
              precision    recall  f1-score   support

         Web       1.00      0.67      0.80         3
        Etat       0.67      0.67      0.67         3

   micro avg       0.80      0.67      0.73         6
   macro avg       0.83      0.67      0.73         6
weighted avg       0.83      0.67      0.73         6
`)
})

test('labels beyond those that occur keep the accuracy row', () => {
  const report = classificationReport([0, 1], [0, 1], ['a', 'b', 'c'], { labels: [0, 1, 2] })
  expect(report).toContain('           c       0.00      0.00      0.00         0\n')
  expect(report).toContain('    accuracy                           1.00         2\n')
})

test('classes are the sorted distinct ids of truth and predicted', () => {
  const lines = classificationReport([10, 2], [2, 9], ['two', 'nine', 'ten']).split('\n')
  expect(lines[2]).toBe('         two       0.00      0.00      0.00       1.0')
  expect(lines[4]).toBe('         ten       0.00      0.00      0.00       1.0')
})

test('the longest name sets the width, counted in characters as Python counts them', () => {
  const lines = classificationReport([0, 1], [0, 1], ['Wissenschaften', '🎾'], { digits: 3 }).split('\n')
  expect(lines[0]).toBe('                precision    recall  f1-score   support')
  expect(lines[2]).toBe('Wissenschaften      1.000     1.000     1.000         1')
  expect([...lines[3]!].length).toBe(lines[2]!.length)
})

test('halves round to the even digit, as in Python', () => {
  // One of eight is right: recall 0.125.
  const predicted = [0, 1, 1, 1, 1, 1, 1, 1]
  const lines = classificationReport(Array(8).fill(0), predicted, ['a', 'b']).split('\n')
  expect(lines[2]).toBe('           a       1.00      0.12      0.22         8')
})

test('a mean at a half rounds as numpy adds it', () => {
  // The mean of F1 is 0.375 in numpy's order of addition, and just below it from left to right.
  const names = Array.from({ length: 8 }, (_, id) => `class ${id}`)
  const report = classificationReport([0, 1, 2, 3, 4, 5, 6, 7], [0, 2, 4, 3, 4, 0, 6, 6], names)
  expect(report).toContain('   macro avg       0.31      0.50      0.38         8\n')
})

test('rejects no examples, names that do not match, and bad digits', () => {
  expect(() => classificationReport([], [], [])).toThrow(
    expect.objectContaining({ code: 'ERR_EMPTY', message: 'classificationReport: no examples' }),
  )
  expect(() => classificationReport([0], [1], ['a'])).toThrow('wanted 2 names, one for each label, got 1')
  expect(() => classificationReport([0], [0], ['a'], { digits: -1 })).toThrow('digits')
})

// Both as scikit-learn 1.2.1 prints them.
test('where no prediction is right, supports are printed as floating-point numbers', () => {
  expect(classificationReport([0, 0, 1], [1, 1, 0], ['a', 'b'])).toBe(
    [
      '              precision    recall  f1-score   support\n\n',
      '           a       0.00      0.00      0.00       2.0\n',
      '           b       0.00      0.00      0.00       1.0\n\n',
      '    accuracy                           0.00       3.0\n',
      '   macro avg       0.00      0.00      0.00       3.0\n',
      'weighted avg       0.00      0.00      0.00       3.0\n',
    ].join(''),
  )
})

test('classes that no example has: zeroDivision is the recall, and what was predicted of them is wrong', () => {
  const options = { labels: [2], zeroDivision: 1 } as const
  expect(classificationReport([0, 0], [2, 2], ['c'], options)).toBe(
    [
      '              precision    recall  f1-score   support\n\n',
      '           c       0.00      1.00      0.00       0.0\n\n',
      '   micro avg       0.00      1.00      0.00       0.0\n',
      '   macro avg       0.00      1.00      0.00       0.0\n',
      'weighted avg       0.00      1.00      0.00       0.0\n',
    ].join(''),
  )
  const { weighted } = classificationMetrics([0, 0], [1, 1], ['c'], options)
  expect(weighted).toEqual({ precision: 1, recall: 1, f1: 1 })
})
