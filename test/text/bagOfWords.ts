import type { Article } from '../../src/text/gnad.js'
import { LabelEncoder } from '../../src/text/labels.js'
import { tokenizers } from '../../src/text/tokenize.js'
import { Vocabulary } from '../../src/text/vocabulary.js'

// Two classifiers that ignore word order: baselines that a recurrent network must beat.

/** A document as its distinct words and a weight for each. */
type Bag = Map<number, number>

interface Task {
  classes: number
  words: number
  train: Bag[]
  trainLabels: Int32Array
  test: Bag[]
  testLabels: Int32Array
}

function prepare(train: Article[], test: Article[]): Task {
  const tokens = (article: Article): string[] => tokenizers.whitespace(article.text)
  const vocabulary = Vocabulary.fromDocuments(train.map(tokens))
  const labels = LabelEncoder.fit(train.map(({ category }) => category))
  const bag = (article: Article): Bag => {
    const counts: Bag = new Map()
    for (const id of vocabulary.encode(tokens(article))) counts.set(id, (counts.get(id) ?? 0) + 1)
    return counts
  }
  return {
    classes: labels.classes.length,
    words: vocabulary.size,
    train: train.map(bag),
    trainLabels: labels.transform(train.map(({ category }) => category)),
    test: test.map(bag),
    testLabels: labels.transform(test.map(({ category }) => category)),
  }
}

/** The share of `bags` whose best class, by weights `[classes, words]` and biases, is the label. */
function accuracy(bags: Bag[], labels: Int32Array, weights: Float64Array[], biases: Float64Array): number {
  const right = bags.filter((bag, i) => {
    const scores = scoresOf(bag, weights, biases)
    return scores.indexOf(Math.max(...scores)) === labels[i]
  })
  return right.length / bags.length
}

function scoresOf(bag: Bag, weights: Float64Array[], biases: Float64Array): number[] {
  return weights.map((row, c) => {
    let score = biases[c]!
    for (const [word, weight] of bag) score += row[word]! * weight
    return score
  })
}

/** Multinomial naive Bayes with add-one smoothing: the test accuracy. */
export function naiveBayes(trainSet: Article[], testSet: Article[]): number {
  const { classes, words, train, trainLabels, test, testLabels } = prepare(trainSet, testSet)
  const counts = Array.from({ length: classes }, () => new Float64Array(words).fill(1))
  const biases = new Float64Array(classes)
  for (const [i, bag] of train.entries()) {
    const label = trainLabels[i]!
    biases[label]!++
    for (const [word, count] of bag) counts[label]![word]! += count
  }
  const weights = counts.map(row => {
    const total = row.reduce((sum, count) => sum + count)
    return row.map(count => Math.log(count / total))
  })
  return accuracy(test, testLabels, weights, biases.map(Math.log))
}

/** Ridge regression of each class's indicator on TF-IDF, by gradient descent: the test accuracy. */
export function tfIdfRidge(trainSet: Article[], testSet: Article[], epochs = 30): number {
  const { classes, words, train, trainLabels, test, testLabels } = prepare(trainSet, testSet)
  const found = new Float64Array(words)
  for (const bag of train) for (const word of bag.keys()) found[word]!++
  const idf = found.map(count => 1 + Math.log((1 + train.length) / (1 + count)))
  const unit = (bag: Bag): Bag => {
    const entries = [...bag].map(([word, count]): [number, number] => [
      word,
      (1 + Math.log(count)) * idf[word]!,
    ])
    const norm = Math.hypot(...entries.map(([, weight]) => weight))
    return new Map(entries.map(([word, weight]) => [word, weight / norm]))
  }
  const bags = train.map(unit)
  const weights = Array.from({ length: classes }, () => new Float64Array(words))
  const biases = new Float64Array(classes)
  const rate = 0.3
  const ridge = 1e-4
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const [i, bag] of bags.entries()) {
      for (const [c, score] of scoresOf(bag, weights, biases).entries()) {
        const step = rate * ((trainLabels[i] === c ? 1 : 0) - score)
        const row = weights[c]!
        for (const [word, weight] of bag) row[word]! += step * weight - rate * ridge * row[word]!
        biases[c]! += 0.01 * step
      }
    }
  }
  return accuracy(test.map(unit), testLabels, weights, biases)
}
