// Autocompletion, the task of Madsen's "Visualizing memorization in RNNs" (Distill 2019): each character predicts the word that
// is being typed. An LSTM and a GRU learn it, and a page shows side by side what their predictions remember.
//
//   node examples/autocomplete.js [page.html]
import { writeFile } from 'node:fs/promises'
import { crossEntropy, manualSeed, nn, optim, packIds, scope } from 'packed-rnn'
import * as explain from 'packed-rnn/explain'
import * as text from 'packed-rnn/text'

manualSeed(1)
const articles = text.inventArticles(160, 1).map(article => article.text.toLowerCase())
const vocabulary = (regex, minCount) =>
  text.Vocabulary.fromDocuments(
    articles.map(article => article.match(regex)),
    { minCount },
  )
const [characters, words] = [vocabulary(/./gu, 1), vocabulary(/\p{L}+/gu, 40)]

// For each character its word; what stands between two words belongs to the second, which is to be foreseen there.
const wordsOf = line =>
  line.match(/\P{L}*\p{L}+|\P{L}+$/gu).flatMap(part => Array(part.length).fill(part.match(/\p{L}*$/u)[0]))
const lines = articles.flatMap(article => article.match(/.{100}/gu) ?? [])
const shown = lines.pop()
const data = lines.map(line => ({ ids: characters.encode([...line]), labels: words.encode(wordsOf(line)) }))

class Autocompletion extends nn.Module {
  embedding = new nn.Embedding({ numEmbeddings: characters.size, embeddingDim: 32 })
  linear = new nn.Linear({ inFeatures: 128, outFeatures: words.size })
  // After each character, to learn from; and after the last one, which `explain` asks for.
  forward = ids => this.linear.forward(this.layers.forward(this.embedding.forward(ids)).output.data)
  logits = vectors => this.linear.forward(this.layers.forward(vectors).lastOutput())
}

const readings = []
for (const [name, Layers] of Object.entries({ LSTM: nn.LSTM, GRU: nn.GRU })) {
  const model = new Autocompletion()
  model.layers = new Layers({ inputSize: 32, hiddenSize: 128 })
  const adam = new optim.Adam(model.parameters(), { lr: 0.005 })
  for (let from = 0; from < data.length; from += 100) {
    const batch = data.slice(from, from + 100)
    const labels = batch.flatMap(line => [...line.labels])
    scope(() => {
      const logits = model.forward(packIds(batch.map(line => line.ids)))
      crossEntropy(logits, labels, { ignoreIndex: text.UNK }).backward()
      optim.clipGradNorm(model.parameters(), 1)
      adam.step()
      adam.zeroGrad()
    })
  }
  const classes = Array.from({ length: words.size }, (_, id) => words.decode(id))
  const encode = tokens => characters.encode(tokens)
  const reader = { name, model, classes, encode, tokenize: line => [...line] }
  const reading = await explain.readingOf(reader, shown)
  const right = wordsOf(shown).filter((word, t) => classes[reading.predictions[t].predicted] === word)
  console.log(`${name}: ${right.length} of 100 characters predict their word correctly`)
  readings.push(reading)
}
if (process.argv[2]) await writeFile(process.argv[2], await explain.memorisationPage(readings, { words: 0 }))
