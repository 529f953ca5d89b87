// The course notebook's first recurrent network: an Elman layer, h_t = tanh(W x_t + b + U h_{t-1} + b'), on one sentence
// of six words. The notebook feeds it [1, 6, 300], which reads as six sentences of one word; [6, 1, 300] was meant.
//
//   npm run build:ts && node examples/elman.js
import { manualSeed, nn, noGrad, packedRows, packIds, reshape, sigmoid } from 'packed-rnn'
import * as text from 'packed-rnn/text'

manualSeed(1)
const sentence = text.tokenizers.whitespace('der Hund jagt die schwarze Katze')
// Looked up in a dictionary, a word that it lacks is an error; here it is the unknown word, id 0.
const vocabulary = text.Vocabulary.fromWords(['der', 'die', 'Hund', 'Katze', 'jagt'])
const ids = vocabulary.encode(sentence)
console.log('words          ', sentence.map((word, t) => `${word} ${ids[t]}`).join(', '))

const embedding = new nn.Embedding({ numEmbeddings: vocabulary.size, embeddingDim: 300 })
const rnn = new nn.RNN({ inputSize: 300, hiddenSize: 10 })
const label = new nn.Linear({ inFeatures: 10, outFeatures: 1 })

await noGrad(async () => {
  const packed = embedding.forward(packIds([ids]))
  const words = packedRows(packed) // [6, 300]

  // T = 1 step of a batch of N = 6: every word starts from a state of zeros and knows of no other.
  const accidental = rnn.forward(reshape(words, [1, 6, 300]))
  show('as T=1, N=6', accidental)

  // T = 6 steps of one sentence: the last state has seen all words.
  const intended = rnn.forward(reshape(words, [6, 1, 300]))
  show('as T=6, N=1', intended)

  // The first word has no past, so both readings agree on it, and on it alone.
  const [six, one] = await Promise.all([accidental, intended].map(({ output }) => output.toArray()))
  const agree = sentence.filter((_, t) => same(six.subarray(10 * t, 10 * t + 10), one.subarray(10 * t)))
  console.log('the same state ', agree.join(', '))

  // Neither shape has to be spelled out: a packed batch knows where its sentences end.
  const direct = await rnn.forward(packed).output.data.toArray()
  console.log('packed         ', same(one, direct) ? 'as intended' : 'different')

  // The textbook's output layer, y_t = σ(V h_t + c), is a linear layer and an activation.
  const y = sigmoid(label.forward(reshape(intended.output, [6, 10])))
  console.log('y              ', [...(await y.toArray())].map(value => value.toFixed(3)).join(' '))
})

function show(name, { output, hN }) {
  console.log(name.padEnd(15), `output [${output.shape.join(', ')}], hN [${hN.shape.join(', ')}]`)
}

function same(a, b) {
  return a.every((value, i) => value === b[i])
}
