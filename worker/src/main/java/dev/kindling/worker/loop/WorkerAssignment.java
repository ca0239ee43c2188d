package dev.kindling.worker.loop;

import java.io.Serializable;
import java.util.Arrays;

/**
 * Everything a rank must be told to take part in one attempt; the rank itself comes from the
 * rendezvous.
 *
 * @param configYaml the resolved configuration, as written to the run folder
 * @param runDir the run folder, a path or URI that every rank can reach
 * @param dataDir the prepared token shards, a path that every rank can reach
 * @param attempt number of the attempt, from 1
 * @param epoch the fencing epoch that the driver claimed for this attempt
 * @param bindAddress name or address of the interface for our own sockets; empty = loopback
 * @param secret 256-bit job secret; travels only over an authenticated channel
 */
public record WorkerAssignment(
    String configYaml,
    String runDir,
    String dataDir,
    int attempt,
    long epoch,
    String bindAddress,
    byte[] secret)
    implements Serializable {

  public WorkerAssignment {
    if (attempt < 1 || epoch < 1) {
      throw new IllegalArgumentException(
          "attempt and epoch: expected >= 1, found " + attempt + ", " + epoch);
    }
    if (secret.length != 32) {
      throw new IllegalArgumentException("secret: expected 32 bytes, found " + secret.length);
    }
    secret = secret.clone();
  }

  @Override
  public byte[] secret() {
    return secret.clone();
  }

  /** Without the secret and the configuration. */
  @Override
  public String toString() {
    return "WorkerAssignment[runDir=" + runDir + ", attempt=" + attempt + ", epoch=" + epoch + "]";
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof WorkerAssignment o
        && configYaml.equals(o.configYaml)
        && runDir.equals(o.runDir)
        && dataDir.equals(o.dataDir)
        && attempt == o.attempt
        && epoch == o.epoch
        && bindAddress.equals(o.bindAddress)
        && Arrays.equals(secret, o.secret);
  }

  @Override
  public int hashCode() {
    return runDir.hashCode() * 31 + attempt;
  }
}
