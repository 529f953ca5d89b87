// The notebook's training and test cells, from articles to the report: an embedding, an LSTM, a linear layer, cross
// entropy, clipping and Adam, by hand. `training.Trainer` is this loop with batches, progress and checkpoints.
//
//   node examples/training.js
import { crossEntropy, manualSeed, nn, noGrad, optim, packSequence, scope, text, training } from 'packed-rnn'

manualSeed(1)
const articles = text.inventArticles(240, 1)
const test = text.inventArticles(60, 2)
const tokens = article => text.tokenizers.whitespace(article.text).slice(0, 60)
const vocabulary = text.Vocabulary.fromDocuments(articles.map(tokens), { minCount: 2 })
const labels = text.LabelEncoder.fit(articles.map(article => article.category))

const embedding = new nn.Embedding({ numEmbeddings: vocabulary.size, embeddingDim: 50 })
const lstm = new nn.LSTM({ inputSize: 50, hiddenSize: 32, bidirectional: true })
const classifier = new nn.Linear({ inFeatures: 64, outFeatures: labels.classes.length })
const modules = [embedding, lstm, classifier]
const adam = new optim.Adam(
  modules.flatMap(module => module.parameters()),
  { lr: 0.01 },
)
const logits = ids => classifier.forward(lstm.forward(embedding.forward(ids)).lastHidden())

const documents = articles.map(article => vocabulary.encode(tokens(article)))
const batches = new text.Batches(
  { documents, labels: labels.transform(articles.map(article => article.category)) },
  { batchSize: 24, shuffleSeed: 1 },
)
for (let epoch = 0; epoch < 6; epoch++) {
  const losses = []
  for (const batch of batches.epoch(epoch)) {
    const loss = scope(() => {
      const mean = crossEntropy(logits(batch.ids), batch.labels)
      mean.backward()
      optim.clipGradNorm(lstm.parameters(), 1)
      adam.step()
      adam.zeroGrad()
      return mean
    })
    losses.push(await loss.item())
    loss.dispose()
  }
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length
  console.log(`epoch ${epoch + 1}  loss ${mean.toFixed(4)}`)
}

const scores = await scope(() =>
  noGrad(() => logits(packSequence(test.map(a => vocabulary.encode(tokens(a))))).toArray()),
)
const classes = labels.classes.length
const predicted = test.map((_, i) => {
  const row = [...scores.subarray(i * classes, (i + 1) * classes)]
  return row.indexOf(Math.max(...row))
})
const truth = labels.transform(test.map(article => article.category))
console.log(
  training.classificationReport(truth, predicted, labels.classes, {
    labels: labels.classes.map((_, i) => i),
  }),
)
