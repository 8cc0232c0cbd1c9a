/** Clients in Python, in one environment. What is generated from a schema depends on the version. */
export const clientPackages = [
  'openai[realtime]==3.*',
  'langchain-openai==1.*',
  'schemathesis==4.32.5',
] as const
