// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title What the anchor says: its events, and why it refuses a batch
/// @dev The first two events are those of the contract that VES deployments use already (VES 7.1).
interface AnchorEvents {
    /// @notice A batch was anchored. Roots and ids as given, the range with both its ends, the time in Unix seconds.
    event CommitmentAnchored(
        bytes32 indexed batchId,
        bytes32 indexed tenantId,
        bytes32 storeId,
        bytes32 eventsRoot,
        bytes32 stateRoot,
        uint64 sequenceStart,
        uint64 sequenceEnd,
        uint32 eventCount,
        uint256 timestamp
    );
    /// @notice Several batches were anchored in one call; `batchRoot` is keccak256 of their ids one after the other.
    event BatchAnchored(bytes32 indexed batchRoot, uint256 count, uint256 timestamp);
    /// @notice Only these sequencers may anchor the stream from now on; with none, every authorised one may.
    event StreamPinned(bytes32 indexed tenantId, bytes32 indexed storeId, address[] sequencers);

    /// @notice The stream is pinned to other sequencers.
    error SequencerNotPinned(bytes32 batchId, address account);
    /// @notice A batch with this id is anchored.
    error AlreadyAnchored(bytes32 batchId);
    /// @notice No batch with this id is anchored.
    error NotAnchored(bytes32 batchId);
    /// @notice The batch has no events.
    error EmptyBatch(bytes32 batchId);
    /// @notice The range ends before it starts.
    error EndBeforeStart(bytes32 batchId, uint64 sequenceStart, uint64 sequenceEnd);
    /// @notice The count is not that of the range.
    error UnexpectedCount(bytes32 batchId, uint256 expected, uint32 given);
    /// @notice The batch does not follow the stream's last one: 1 is expected of the first, then the last end + 1.
    error UnexpectedStart(bytes32 batchId, uint256 expected, uint64 given);
    /// @notice The state root is not what the stream's last one and this batch make.
    error UnexpectedStateRoot(bytes32 batchId, bytes32 expected, bytes32 given);
    /// @notice The lists are not of the same length. `expected` is the number of batch ids.
    error UnequalLengths(uint256 expected, uint256 given);
    /// @notice The lists are empty.
    error NothingToAnchor();
}
