// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

/// @title The accounts that may anchor, kept by the owner
/// @dev Each account gets a number when it is first authorised and keeps it for good: four bytes of a batch's storage say
/// who anchored it, where an address would take a slot of its own.
abstract contract SequencerSet is Ownable2Step {
    struct Sequencer {
        uint32 number;
        bool isAuthorized;
    }

    /// @dev Numbers start at 1.
    mapping(address account => Sequencer) private _sequencers;
    address[] private _accounts;

    /// @notice An account may anchor from now on.
    event SequencerAuthorized(address indexed sequencer);
    /// @notice An account may not anchor any more.
    event SequencerRevoked(address indexed sequencer);

    /// @notice The account is not an authorised sequencer.
    error SequencerNotAuthorized(address account);
    /// @notice The account is an authorised sequencer already.
    error SequencerAlreadyAuthorized(address account);
    /// @notice No key belongs to this account.
    error InvalidSequencer(address account);
    /// @notice Without an owner nobody could revoke a stolen key.
    error OwnerRequired();

    constructor(address initialOwner, address[] memory initialSequencers) Ownable(initialOwner) {
        for (uint256 i = 0; i < initialSequencers.length; i++) {
            _authorize(initialSequencers[i]);
        }
    }

    /// @notice Lets an account anchor. Owner only.
    function authorizeSequencer(address account) external onlyOwner {
        _authorize(account);
    }

    /// @notice Takes that right away, at once and for every stream. What the account has anchored stays. Owner only.
    function revokeSequencer(address account) external onlyOwner {
        if (!isSequencer(account)) revert SequencerNotAuthorized(account);
        _sequencers[account].isAuthorized = false;
        emit SequencerRevoked(account);
    }

    /// @notice Whether the account is authorised now. A pinned stream asks for more, see `mayAnchor`.
    function isSequencer(address account) public view returns (bool) {
        return _sequencers[account].isAuthorized;
    }

    /// @notice Always refused: the owner can be changed but not given up.
    function renounceOwnership() public view override onlyOwner {
        revert OwnerRequired();
    }

    /// @dev The number of an account that may anchor.
    function _numberOf(address account) internal view returns (uint32) {
        Sequencer memory sequencer = _sequencers[account];
        if (!sequencer.isAuthorized) revert SequencerNotAuthorized(account);
        return sequencer.number;
    }

    /// @dev The account with a number that {_numberOf} has given.
    function _accountOf(uint32 number) internal view returns (address) {
        return _accounts[number - 1];
    }

    function _authorize(address account) private {
        if (account == address(0)) revert InvalidSequencer(account);
        Sequencer storage sequencer = _sequencers[account];
        if (sequencer.isAuthorized) revert SequencerAlreadyAuthorized(account);
        if (sequencer.number == 0) {
            _accounts.push(account);
            sequencer.number = uint32(_accounts.length);
        }
        sequencer.isAuthorized = true;
        emit SequencerAuthorized(account);
    }
}
