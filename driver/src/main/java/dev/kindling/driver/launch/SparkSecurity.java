package dev.kindling.driver.launch;

import dev.kindling.worker.plan.Redaction;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.spark.SparkConf;

/**
 * What Spark must do before our secrets travel through it. A master that we start ourselves is
 * closed by default; any other has to be closed already, because master, workers and driver must
 * share one secret, which we cannot give them.
 */
final class SparkSecurity {
  /** The one setting with which a run on an open cluster starts all the same. */
  static final String SWITCH = "spark.kindling.security";

  static final String AUTHENTICATE = "spark.authenticate";
  private static final String SECRET = AUTHENTICATE + ".secret";
  private static final String CRYPTO = "spark.network.crypto.enabled";
  private static final String CIPHER = "spark.network.crypto.cipher";
  private static final String SASL = "spark.network.crypto.saslFallback";

  /** Spark's own default has no integrity: whoever sits between may flip bits (CVE-2025-55039). */
  private static final String GCM = "AES/GCM/NoPadding";

  private static final Pattern HOSTS = Pattern.compile("spark://([^/]+)");
  private static final int SECRET_BYTES = 32;

  private SparkSecurity() {}

  /** Settings that nobody made and that make Spark safer on every master. */
  static void complete(SparkConf conf) {
    conf.setIfMissing("spark.redaction.regex", Redaction.REGEX);
    if (ownMaster(conf)) {
      close(conf);
    }
    if (conf.getBoolean(CRYPTO, false)) {
      // A peer without encryption, or somebody between who plays one, is refused.
      conf.setIfMissing(SASL, "false");
    }
  }

  private static void close(SparkConf conf) {
    conf.setIfMissing(AUTHENTICATE, "true");
    if (conf.getBoolean(AUTHENTICATE, true)) {
      if (!conf.contains(SECRET)) {
        byte[] secret = new byte[SECRET_BYTES];
        new SecureRandom().nextBytes(secret);
        conf.set(SECRET, HexFormat.of().formatHex(secret));
      }
      conf.setIfMissing(CRYPTO, "true");
      conf.setIfMissing(CIPHER, GCM);
    }
  }

  /** Why the run must not start with these settings, a line each; none if it may. */
  static List<String> refusals(SparkConf conf) {
    List<String> refusals = new ArrayList<>();
    String security = conf.get(SWITCH, "on");
    if (security.equals("off")) {
      return refusals;
    }
    if (!security.equals("on")) {
      refusals.add(SWITCH + ": expected on or off, found " + security);
    }
    publicOptions(conf, refusals);
    if (reachesOtherMachines(conf)) {
      open(conf, refusals);
    }
    return refusals;
  }

  private static void open(SparkConf conf, List<String> refusals) {
    List<String> missing = new ArrayList<>();
    if (!conf.getBoolean(AUTHENTICATE, false)) {
      missing.add(AUTHENTICATE + "=true");
    }
    if (!conf.getBoolean("spark.ssl.rpc.enabled", false)) {
      if (!conf.getBoolean(CRYPTO, false)) {
        missing.add(CRYPTO + "=true");
      }
      if (!conf.get(CIPHER, "").equalsIgnoreCase(GCM)) {
        missing.add(CIPHER + "=" + GCM);
      }
    }
    if (!missing.isEmpty()) {
      refusals.add(
          "%s is no master of this machine alone, and anybody who reaches its ports could read or run what he likes: set %s (standalone: in conf/spark-defaults.conf of master and workers too, with one %s); %s=off starts on an open cluster knowingly"
              .formatted(conf.get("spark.master"), String.join(", ", missing), SECRET, SWITCH));
    }
  }

  /** JVM options are seen by everybody in the list of processes, and stand in crash files. */
  private static void publicOptions(SparkConf conf, List<String> refusals) {
    Stream.of("driver", "executor")
        .flatMap(
            side ->
                Stream.of("extraJavaOptions", "defaultJavaOptions")
                    .map(options -> "spark." + side + "." + options))
        .filter(key -> Redaction.definesSecret(conf.get(key, "")))
        .map(
            key ->
                key
                    + ": expected no secret, found one in a -D option, which every user of the machine"
                    + " can see; hand it over with spark.executorEnv.NAME, or say "
                    + SWITCH
                    + "=off")
        .forEach(refusals::add);
  }

  /** Whether the master is part of the driver's JVM, as the one is that nobody named. */
  private static boolean ownMaster(SparkConf conf) {
    return conf.get("spark.master", "local").startsWith("local");
  }

  private static boolean reachesOtherMachines(SparkConf conf) {
    Matcher standalone = HOSTS.matcher(conf.get("spark.master", ""));
    if (standalone.matches()) {
      return Stream.of(standalone.group(1).split(",", -1)).anyMatch(host -> !loopback(host));
    }
    return !ownMaster(conf);
  }

  /** Addresses and the one name that needs no look-up: a name may mean another host tomorrow. */
  private static boolean loopback(String hostAndPort) {
    String host = hostAndPort.replaceFirst(":\\d+$", "").replaceAll("[\\[\\]]", "");
    if (host.equals("localhost")) {
      return true;
    }
    try {
      return host.matches("[0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*")
          && InetAddress.getByName(host).isLoopbackAddress();
    } catch (UnknownHostException malformed) {
      return false;
    }
  }
}
