// The notebook's training and test cells, from articles to the report: an embedding, an LSTM, a linear layer, cross
// entropy, clipping and Adam, by hand. `training.Trainer` is this loop with batches, progress and checkpoints.
//
//   node examples/training.js
import { crossEntropy, manualSeed, nn, noGrad, optim, packIds, scope } from 'packed-rnn'
import * as text from 'packed-rnn/text'
import * as training from 'packed-rnn/training'

manualSeed(1)
const articles = text.inventArticles(240, 1)
const test = text.inventArticles(60, 2)
const tokens = article => text.tokenizers.whitespace(article.text).slice(0, 60)
const vocabulary = text.Vocabulary.fromDocuments(articles.map(tokens), { minCount: 2 })
const labels = text.LabelEncoder.fit(articles.map(article => article.category))

class Net extends nn.Module {
  embedding = new nn.Embedding({ numEmbeddings: vocabulary.size, embeddingDim: 50 })
  lstm = new nn.LSTM({ inputSize: 50, hiddenSize: 32, bidirectional: true })
  head = new nn.Linear({ inFeatures: 64, outFeatures: labels.classes.length })
  forward(ids) {
    return this.head.forward(this.lstm.forward(this.embedding.forward(ids)).lastHidden())
  }
}
const net = new Net()
const adam = new optim.Adam(net.parameters(), { lr: 0.01 })

const documents = articles.map(article => vocabulary.encode(tokens(article)))
const batches = new text.Batches(
  { documents, labels: labels.transform(articles.map(article => article.category)) },
  { batchSize: 24, shuffleSeed: 1 },
)
for (let epoch = 0; epoch < 6; epoch++) {
  const losses = []
  for (const batch of batches.epoch(epoch)) {
    const loss = scope(() => {
      const mean = crossEntropy(net.forward(batch.ids), batch.labels)
      mean.backward()
      optim.clipGradNorm(net.lstm.parameters(), 1)
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
  noGrad(() => net.forward(packIds(test.map(a => vocabulary.encode(tokens(a))))).toArray()),
)
const classes = labels.classes.length
const predicted = test.map((_, i) => {
  const row = [...scores.subarray(i * classes, (i + 1) * classes)]
  return row.indexOf(Math.max(...row))
})
const truth = labels.transform(test.map(article => article.category))
const options = { labels: labels.classes.map((_, i) => i) }
console.log(training.classificationReport(truth, predicted, labels.classes, options))
