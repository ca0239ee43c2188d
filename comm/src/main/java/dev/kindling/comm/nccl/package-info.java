/**
 * Collectives between GPUs. Read first: NcclCommunicator, NcclOpening (how the ranks agree and
 * connect), Watchdog (how work that cannot end is ended), Nccl and NcclHandle (the native calls we
 * use; tests stand in for them).
 *
 * <p>NCCL is configured by its own environment variables, which are left as they are, except that
 * NCCL_COMM_ID is refused. On machines whose NVLink switches cannot do multicast set
 * NCCL_NVLS_ENABLE=0.
 *
 * <p>Must not depend on Spark, a file system or a rank layout. The classes of JavaCPP's CUDA preset
 * are optional at run time; only NativeNccl and NativeHandle touch them.
 */
@NullMarked
package dev.kindling.comm.nccl;

import org.jspecify.annotations.NullMarked;
