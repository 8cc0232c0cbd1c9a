import type { Voice } from '@appfactory/sdk'

/** The voices inside flite.wasm. It speaks with `kal` where it does not know a voice, so ids are checked beforehand. */
export const voices: readonly Voice[] = [
  {
    id: 'slt',
    name: 'SLT',
    language: 'en-US',
    gender: 'female',
    sampleRate: 16_000,
    description: 'Clear and friendly.',
  },
  {
    id: 'rms',
    name: 'RMS',
    language: 'en-US',
    gender: 'male',
    sampleRate: 16_000,
    description: 'Speech recognisers understand it best.',
  },
  {
    id: 'awb',
    name: 'AWB',
    language: 'en-GB',
    gender: 'male',
    sampleRate: 16_000,
    description: 'With a Scottish accent.',
  },
  {
    id: 'kal16',
    name: 'KAL 16',
    language: 'en-US',
    gender: 'male',
    sampleRate: 16_000,
    description: 'Like a robot, and fast to make.',
  },
  {
    id: 'kal',
    name: 'KAL',
    language: 'en-US',
    gender: 'male',
    sampleRate: 8000,
    description: 'As KAL 16, in the quality of a telephone.',
  },
]
