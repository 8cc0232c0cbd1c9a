/** 1 MiB of audio: what every contender's child answers with. */
export const audio = Buffer.alloc(1024 * 1024, 1)
