// Requests to a process that reads tokens one after the other, each with the previous token's state:
//
//   check WAY H B N    the state h of the first and the last sequence after N tokens: {"h"}, [2, H]
//   stream WAY H B N   reads N tokens and awaits the last state: {"seconds"}
//   await WAY H B N    reads N tokens and awaits the state of each: {"seconds"}
import { createInterface } from 'node:readline'

/** A loaded layer of one H and B. */
export interface Stream {
  /** Reads `count` tokens from a state of zeros. @returns h of all sequences, [B, H], and the time without preparation */
  read(tokens: number, awaited: boolean): Promise<{ h: Float32Array; seconds: number }>
}

/** Answers each request line until the input ends. An error becomes the answer. */
export async function answerLines(answerTo: (...words: string[]) => Promise<object>): Promise<void> {
  const answer = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`)
  answer({ ready: true })
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      answer(await answerTo(...line.split(' ')))
    } catch (error) {
      answer({ error: error instanceof Error ? error.message : String(error) })
    }
  }
}

/** Answers requests until the input ends. */
export async function answerStreams(open: (H: number, B: number) => Promise<Stream>): Promise<void> {
  const streams = new Map<string, Stream>()
  await answerLines(async (command, _way, H, B, tokens) => {
    const name = `${H} ${B}`
    const stream = streams.get(name) ?? (await open(Number(H), Number(B)))
    streams.set(name, stream)
    const { h, seconds } = await stream.read(Number(tokens), command === 'await')
    const ends = [...h.subarray(0, Number(H)), ...h.subarray(h.length - Number(H))]
    return command === 'check' ? { h: ends } : { seconds }
  })
}
