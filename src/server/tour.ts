/** What GraphiQL shows first. */
export const tour = `# Every service run, with its live health.
query Runs {
  serviceRuns(first: 20) {
    totalCount
    nodes {
      id
      name
      namespace
      status {
        state
        health
        message
        reasons { code message hint }
        service { url urls { name url method } }
      }
      actions
    }
  }
}

# Watch health change as it happens.
subscription Health {
  serviceHealthChanged {
    type
    previous
    serviceRun { name status { state health message } }
  }
}
`;
